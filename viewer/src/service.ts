/** The service's HTTP interface, and nothing but what is public in it. */

import type {
  Angles, CArm, CaseDescription, CaseSummary, Needle, Piece, Plan, PlanRequest,
  PlanState, Problem, Profile, Progress, Rule, Sample, Session, SessionRequest, SkinMap, Target,
  Trajectory,
} from "./contract";

/** The service said what is wrong. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** The service did not answer. */
export class OfflineError extends Error {}

const KEPT = "trocar key";

/** The key this tab shows, where the service asks for one; forgotten when the tab is closed. */
function key(): string | null {
  return sessionStorage.getItem(KEPT);
}

export function useKey(given: string): void {
  sessionStorage.setItem(KEPT, given.trim());
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let reply: Response;
  const headers = new Headers(init.headers);
  const shown = key();
  if (shown) headers.set("Authorization", `Bearer ${shown}`);
  try {
    reply = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new OfflineError("the service does not answer");
  }
  if (!reply.ok) throw new ProblemError(await problemIn(reply));
  return reply;
}

async function problemIn(reply: Response): Promise<Problem> {
  if (reply.headers.get("content-type")?.includes("problem+json")) {
    return (await reply.json()) as Problem;
  }
  const title = `The service answered ${reply.status}`;
  return { type: "about:blank", title, status: reply.status, detail: title, errors: [] };
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await ask(path, init)).json()) as T;
}

function posted(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

const under = (caseId: string): string => `/v1/cases/${encodeURIComponent(caseId)}`;
const planAt = (planId: string): string => `/v1/plans/${encodeURIComponent(planId)}`;

export const isReady = async (): Promise<void> => void (await ask("/readyz"));

export const samples = async (): Promise<readonly Sample[]> =>
  (await json<{ samples: Sample[] }>("/v1/samples")).samples;

export const openSample = (name: string): Promise<CaseDescription> =>
  json(`/v1/samples/${encodeURIComponent(name)}`, { method: "POST" });

export const cases = async (): Promise<readonly CaseSummary[]> =>
  (await json<{ cases: CaseSummary[] }>("/v1/cases?limit=50")).cases;

export const readCase = (caseId: string): Promise<CaseDescription> => json(under(caseId));

export const deleteCase = async (caseId: string): Promise<void> =>
  void (await ask(under(caseId), { method: "DELETE" }));

/** Hand in a case; `sent` hears what share of it has left the browser, which fetch cannot tell. */
export function handIn(form: FormData, sent: (share: number) => void): Promise<CaseDescription> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/cases");
    const shown = key();
    if (shown) request.setRequestHeader("Authorization", `Bearer ${shown}`);
    request.upload.onprogress = ({ loaded, total }) => sent(total > 0 ? loaded / total : 0);
    request.onerror = () => failed(new OfflineError("the service does not answer"));
    request.onload = () => {
      const headers = { "content-type": request.getResponseHeader("content-type") ?? "" };
      const reply = new Response(request.responseText, { status: request.status, headers });
      if (reply.ok) reply.json().then(done, failed);
      else problemIn(reply).then((problem) => failed(new ProblemError(problem)), failed);
    };
    request.send(form);
  });
}

export const needles = (): Promise<{ needles: Needle[]; default: string[] }> => json("/v1/needles");

export const policy = async (): Promise<Readonly<Record<string, Rule>>> =>
  (await json<{ policy: Record<string, Rule> }>("/v1/policy")).policy;

export const cArms = (): Promise<{ c_arms: CArm[]; default: string }> => json("/v1/c_arms");

export async function mesh(caseId: string, name: string): Promise<ArrayBuffer> {
  const path = `${under(caseId)}/structures/${encodeURIComponent(name)}.ply`;
  return (await ask(path)).arrayBuffer();
}

export async function askForPlan(
  caseId: string, request: PlanRequest | SessionRequest,
): Promise<string> {
  const reply = await ask(`${under(caseId)}/plans`, posted(request));
  const planId = reply.headers.get("Location")?.split("/").pop();
  if (!planId) throw new Error("the service accepted a plan without saying where it will be");
  return planId;
}

export const cancelPlan = async (planId: string): Promise<void> =>
  void (await ask(planAt(planId), { method: "DELETE" }));

/** Hear how far a plan is until it is settled; the plan itself is read apart. */
export async function followProgress(
  planId: string, heard: (progress: Progress) => void, signal: AbortSignal,
): Promise<void> {
  // Not an EventSource, which can show no key.
  const reply = await ask(`${planAt(planId)}/events`, { signal });
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (text + part.value).split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^event: progress$[^]*?^data: (.*)$/m.exec(event)?.[1];
      if (data) heard(JSON.parse(data) as Progress);
    }
  }
}

export const readPlan = (planId: string, signal?: AbortSignal): Promise<Plan | Session | PlanState> =>
  json(planAt(planId), signal ? { signal } : {});

/** A path that is measured: its needle, and what it is to reach under which policy. */
export interface Drawn {
  readonly path: readonly Piece[];
  readonly needle: string;
  readonly target?: Target;
  readonly policy?: Readonly<Record<string, Rule>>;
  readonly c_arm?: string;
}

export const evaluate = (caseId: string, drawn: Drawn): Promise<Trajectory> =>
  json(`${under(caseId)}/evaluate`, posted(drawn));

export const skinMap = (
  caseId: string, request: PlanRequest, signal: AbortSignal,
): Promise<SkinMap> => json(`${under(caseId)}/skin-map`, { ...posted(request), signal });

export const profile = (
  caseId: string, path: readonly Piece[], needle: string, signal: AbortSignal,
): Promise<Profile> => json(`${under(caseId)}/profile`, { ...posted({ path, needle }), signal });

export function liveAddress(caseId: string): string {
  const address = new URL(`${under(caseId)}/live`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  return address.href;
}

/** A socket to the service; its key, if it asks for one, goes as a subprotocol. */
export function socketTo(address: string): WebSocket {
  const shown = key();
  return shown ? new WebSocket(address, [`bearer.${shown}`]) : new WebSocket(address);
}

/** The simulated view of a planned needle; angles are DICOM's. */
export async function fluoro(
  planId: string, rank: number, dicom: Angles, signal: AbortSignal,
): Promise<Blob> {
  const query = `primary_deg=${dicom.primary_deg}&secondary_deg=${dicom.secondary_deg}`;
  const path = `${planAt(planId)}/trajectories/${rank}/fluoro.png?${query}`;
  return (await ask(path, { signal })).blob();
}

/** The simulated view of a path that was drawn by hand. */
export async function drawnFluoro(
  caseId: string, drawn: Drawn, dicom: Angles, signal: AbortSignal,
): Promise<Blob> {
  const asked = { ...posted({ ...drawn, ...dicom }), signal };
  return (await ask(`${under(caseId)}/fluoro.png`, asked)).blob();
}

export async function download(path: string): Promise<Blob> {
  return (await ask(path)).blob();
}

export const ofPlan = (planId: string, file: string): string => `${planAt(planId)}/${file}`;
