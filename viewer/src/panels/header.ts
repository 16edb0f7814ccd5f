/** The bar at the top: what is open, whether the service answers, and what this must not be used for. */

import type { Actions } from "../actions";
import { LYING } from "../carm";
import { fill, h } from "../dom";
import type { Link, Model } from "../model";

const LINKS: Readonly<Record<Link, string>> = {
  connecting: "connecting …",
  online: "connected",
  offline: "service does not answer",
  "lost case": "service was restarted",
  locked: "a key is needed",
};

export function header(model: Model, actions: Actions, help: () => void): HTMLElement {
  const title = h("div", { class: "title" });
  const link = h("span", { class: "link", role: "status" });
  const close = h("button", { type: "button", onclick: () => actions.cases.close() }, "Other case");
  model.watch(
    (state) => [state.opened, state.link],
    ({ opened, link: now }) => {
      fill(
        title,
        h("strong", {}, "Trocar"),
        opened && h("span", { class: "case-name", title: opened.name }, opened.name),
        opened && h("span", { class: "chip" }, `patient ${LYING[opened.patient_position ?? ""] ?? "position not stated"}`),
      );
      fill(link, LINKS[now]);
      link.dataset["link"] = now.replace(" ", "-");
      close.hidden = opened === null;
    },
  );
  return h(
    "header", { class: "bar" }, title,
    h("span", { class: "research" }, "Research use only. Not a medical device."),
    link, close,
    h("button", { type: "button", onclick: help, "aria-label": "Keyboard and help" }, "?"),
  );
}

/** What interrupts: no connection, a case that is gone, something refused. */
export function alerts(model: Model, actions: Actions): HTMLElement {
  const root = h("div", { class: "alerts" });
  model.watch(
    (state) => [state.link, state.notice, state.busy],
    ({ link, notice, busy }) => {
      fill(
        root,
        link === "offline" && h(
          "div", { class: "alert error", role: "alert" },
          h("strong", {}, "The service does not answer."),
          " What is shown stays, nothing new can be asked. It is tried again every five seconds.",
        ),
        link === "lost case" && h(
          "div", { class: "alert error", role: "alert" },
          h("strong", {}, "The service was restarted and no longer has this case."),
          " What is shown was measured before. ",
          actions.cases.canReopen
            ? h("button", { type: "button", onclick: () => void actions.cases.reopen() }, "Open it again")
            : "Open it anew from its files.",
        ),
        link === "locked" && keyForm(actions),
        notice && h(
          "div", { class: `alert ${notice.tone}`, role: "alert" },
          h("strong", {}, notice.title),
          h("ul", {}, ...notice.lines.map((line) => h("li", {}, line))),
          h("button", { type: "button", onclick: () => actions.desk.dismiss() }, "Dismiss"),
        ),
        busy && h("div", { class: "alert busy", role: "status" }, h("span", { class: "spinner" }), busy, " …"),
      );
    },
  );
  return root;
}

function keyForm(actions: Actions): HTMLElement {
  const key = h("input", { type: "password", id: "key", required: true, autocomplete: "off" });
  return h(
    "form",
    {
      class: "alert error",
      onsubmit: (event: Event) => {
        event.preventDefault();
        void actions.connection.unlock(key.value);
      },
    },
    h("label", { for: "key" }, "This service asks for a key (see `trocar keys`):"), key,
    h("button", { type: "submit", class: "primary" }, "Enter"),
  );
}
