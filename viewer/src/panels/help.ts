/** Keys, and what they do. */

import { h } from "../dom";

const KEYS: readonly (readonly [string, string])[] = [
  ["1 … 9", "select the trajectory of that rank"],
  ["[  ]", "depth of the sections, 1 mm back or on"],
  ["B", "bull’s-eye"], ["P", "progress view"], ["A", "AP"], ["L", "lateral"],
  ["T", "throw-off lateral"], ["U", "throw-off AP"], ["W", "posterior wall"], ["F", "foramen"],
  ["C", "compare the next path with the selected one"], ["M", "skin map on or off"], ["K", "lock or unlock"], ["Z", "undo"], ["N", "scene: look down the needle"],
  ["Shift + arrows", "in the scene, while editing: move the target or the tip by 1 mm (with Alt: the entry)"],
  ["arrows, + −", "in the scene: turn, zoom"], ["Esc", "close what is open"],
];

export function help(): HTMLDialogElement {
  const dialog = h(
    "dialog", { class: "help", "aria-label": "Keyboard and help" },
    h("h2", {}, "Keys"),
    h("table", {}, ...KEYS.map(([key, does]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, does)))),
    h("p", {}, "Left and right are the patient’s. Distances are from the needle’s surface to the structure’s surface, measured by the service on the original meshes; a margin is that less what the policy requires."),
    h("p", {}, h("strong", {}, "Research software, not a medical device."), " It knows only the structures it was given."),
    h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
  );
  return dialog;
}
