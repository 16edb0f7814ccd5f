/** Making elements. Text is always text, never markup. */

type Child = Node | string | number | null | undefined | false;
type Attributes = Readonly<Record<string, unknown>>;

function furnish(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.replace(/^on/, ""), value as EventListener);
    } else if (name in element && (name === "value" || name === "checked" || name === "disabled")) {
      Reflect.set(element, name, value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
}

export function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  furnish(element, attributes, children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  furnish(element, attributes, children);
  return element;
}

export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

/** Size of the page's text, px; drawings follow it. */
export function textSize(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** A millimetre figure as it is read: one decimal, a true minus, the unit. */
export function mm(value: number | null, decimals = 1): string {
  return value === null ? "–" : `${number(value, decimals)} mm`;
}

export function degrees(value: number, decimals = 1): string {
  return `${number(value, decimals)}°`;
}

export function number(value: number, decimals: number): string {
  return value.toFixed(decimals).replace(/^-(0(?:\.0+)?)$/, "$1").replace("-", "\u2212");
}

/** Names in JSON as words: `anterior_body` is "anterior body". */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** Hand bytes to the reader as a file. */
export function saveAs(bytes: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(bytes);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
