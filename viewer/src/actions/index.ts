/** What a reader can do, by theme. */

import type { Model } from "../model";
import { keepAddress } from "./address";
import { Cases } from "./cases";
import { Connection } from "./connection";
import { Desk } from "./desk";
import { Editing } from "./editing";
import { Looking } from "./looking";
import { Planning } from "./planning";

export interface Actions {
  readonly desk: Desk;
  readonly connection: Connection;
  readonly cases: Cases;
  readonly planning: Planning;
  readonly looking: Looking;
  readonly editing: Editing;
}

export function newActions(model: Model): Actions {
  keepAddress(model);
  const desk = new Desk(model);
  const looking = new Looking(desk);
  const planning = new Planning(desk, looking);
  const cases = new Cases(desk, planning);
  const editing = new Editing(desk, planning, looking);
  const connection = new Connection(desk, cases, planning, editing);
  return { desk, connection, cases, planning, looking, editing };
}
