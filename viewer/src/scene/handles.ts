/** Points that can be taken and moved, in the plane of the screen. */

import { Mesh as Body, MeshBasicMaterial, Plane, SphereGeometry, Vector3 } from "three";

import type { SceneView } from "./scene";

const REACH_PX = 16;
const SIZE_MM = 1.8;

export interface Handle {
  readonly name: string;
  readonly colour: string;
  readonly point: Vector3;
}

/** Called with where a handle now is; `done` once it was let go. */
export type Moved = (name: string, point: Vector3, done: boolean) => void;

export class Handles {
  private readonly bodies = new Map<string, Body>();
  private held: { readonly name: string; readonly plane: Plane } | null = null;

  constructor(private readonly scene: SceneView, private readonly moved: Moved) {
    const { canvas } = scene;
    canvas.addEventListener("pointerdown", (event) => this.take(event), true);
    canvas.addEventListener("pointermove", (event) => this.drag(event, false));
    canvas.addEventListener("pointerup", (event) => this.drag(event, true), true);
  }

  set(handles: readonly Handle[]): void {
    for (const [name, body] of this.bodies) {
      if (handles.some((handle) => handle.name === name)) continue;
      this.scene.remove(body);
      this.bodies.delete(name);
    }
    for (const { name, colour, point } of handles) {
      const body = this.bodies.get(name) ?? this.made(name, colour);
      if (this.held?.name !== name) body.position.copy(point);
    }
    this.scene.redraw();
  }

  /** Move a handle by so many millimetres to the right and up on the screen. */
  nudge(name: string, rightMm: number, upMm: number): void {
    const body = this.bodies.get(name);
    if (!body) return;
    body.position.addScaledVector(this.scene.right, rightMm).addScaledVector(this.scene.up, upMm);
    this.moved(name, body.position.clone(), true);
    this.scene.redraw();
  }

  private made(name: string, colour: string): Body {
    const body = new Body(
      new SphereGeometry(SIZE_MM, 24, 16),
      new MeshBasicMaterial({ color: colour, depthTest: false, transparent: true, opacity: 0.85 }),
    );
    body.renderOrder = 10;
    this.bodies.set(name, body);
    this.scene.add(body);
    return body;
  }

  private take(event: PointerEvent): void {
    const box = this.scene.canvas.getBoundingClientRect();
    for (const [name, body] of this.bodies) {
      const at = this.scene.onScreen(body.position);
      const away = Math.hypot(at.x - (event.clientX - box.left), at.y - (event.clientY - box.top));
      if (away > REACH_PX) continue;
      this.held = { name, plane: new Plane().setFromNormalAndCoplanarPoint(this.scene.into, body.position) };
      this.scene.canvas.setPointerCapture(event.pointerId);
      this.scene.setControls(false);
      event.stopImmediatePropagation();
      return;
    }
  }

  private drag(event: PointerEvent, done: boolean): void {
    if (!this.held) return;
    const { name, plane } = this.held;
    const point = this.scene.rayAt(event.clientX, event.clientY).ray.intersectPlane(plane, new Vector3());
    if (done) {
      this.held = null;
      this.scene.setControls(true);
      event.stopImmediatePropagation();
    }
    if (!point) return;
    this.bodies.get(name)?.position.copy(point);
    this.moved(name, point, done);
    this.scene.redraw();
  }
}
