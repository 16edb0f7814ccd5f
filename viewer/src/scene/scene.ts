/** The three-dimensional view: it draws what it is given and says what was touched. */

import {
  AmbientLight, Box3, Color, DirectionalLight, Group, HemisphereLight, type Material,
  type InstancedMesh, type Mesh as Body, type MeshLambertMaterial, Object3D, PerspectiveCamera, Plane, Raycaster, Scene as Graph, Sphere,
  Vector2, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import type { Clearance, Trajectory } from "../contract";
import { lookOf } from "../looks";
import type { Shown } from "../model";
import { stationAt, vector } from "../path";
import { disposeOf, needle, whisker, type Drawable, type NeedleLook } from "./needles";
import type { Mesh } from "./ply";
import { bodyOf, setOpacity } from "./surfaces";

Object3D.DEFAULT_UP.set(0, 0, 1);
const CLICK_PX = 4;
/** Glow of what is aimed at. */
const AIMED_AT = "#3aa7d8";
/** Skin and pleura this faint are clicked through. */
const FAINT = 0.16;

export interface Touched {
  readonly names: readonly string[];
  readonly point: Vector3;
  readonly x: number;
  readonly y: number;
}

export type ClipAxis = "off" | "sagittal" | "coronal" | "axial";
const CLIP_NORMALS: Readonly<Record<Exclude<ClipAxis, "off">, Vector3>> = {
  sagittal: new Vector3(-1, 0, 0),
  coronal: new Vector3(0, -1, 0),
  axial: new Vector3(0, 0, -1),
};

export type Standpoint = "back" | "front" | "left" | "right" | "head" | "needle";
const STANDPOINTS: Readonly<Record<Exclude<Standpoint, "needle">, Vector3>> = {
  back: new Vector3(0, 1, 0.001),
  front: new Vector3(0, -1, 0.001),
  left: new Vector3(1, 0, 0.001),
  right: new Vector3(-1, 0, 0.001),
  head: new Vector3(0, 0.001, 1),
};

export class SceneView {
  readonly canvas: HTMLCanvasElement;
  readonly camera = new PerspectiveCamera(26, 1, 5, 5000);
  /** How many pictures were drawn, for those who measure. */
  frames = 0;
  onTouch: (touched: Touched | null) => void = () => undefined;
  onFrame: () => void = () => undefined;
  /** Called with which disc of the overlay was touched, and where in the scene, px. */
  onOverlay: (index: number, x: number, y: number) => void = () => undefined;

  private overlay: InstancedMesh | null = null;
  private covered: readonly [number, number] = [0, 0];
  private readonly renderer: WebGLRenderer;
  private readonly graph = new Graph();
  private readonly bodies = new Map<string, Body>();
  private readonly needles = new Group();
  private readonly controls: OrbitControls;
  private clip: Plane | null = null;
  private asked = false;
  private pressed: Vector2 | null = null;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: hasGraphicsCard() });
    this.renderer.localClippingEnabled = true;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.graph.background = new Color("#0b1016");
    this.camera.position.set(150, 500, 160);
    const key = new DirectionalLight("#ffffff", 1.7);
    key.position.set(80, 120, 60);
    this.camera.add(key);
    this.graph.add(
      this.camera, new HemisphereLight("#e6eeff", "#2a2622", 1.1), new AmbientLight("#ffffff", 0.25),
      this.needles,
    );
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.redraw());
    canvas.addEventListener("pointerdown", (event) => {
      this.pressed = new Vector2(event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerup", (event) => this.released(event));
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement ?? canvas);
  }

  get into(): Vector3 {
    return this.camera.getWorldDirection(new Vector3());
  }

  get right(): Vector3 {
    return new Vector3().setFromMatrixColumn(this.camera.matrixWorld, 0);
  }

  get up(): Vector3 {
    return new Vector3().setFromMatrixColumn(this.camera.matrixWorld, 1);
  }

  /** Draw as soon as the browser is ready for it; several calls draw once. */
  redraw(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  draw(): void {
    this.renderer.render(this.graph, this.camera);
    this.frames += 1;
    this.onFrame();
  }

  /** Draw, and return when the picture is there; for those who measure. */
  finished(): void {
    this.draw();
    const gl = this.renderer.getContext();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  /** The scene as a picture, as it stands. */
  async picture(): Promise<Blob> {
    this.draw();
    return new Promise((done, failed) =>
      this.canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture could be made")))),
    );
  }

  add(body: Body): void {
    this.graph.add(body);
  }

  remove(body: Body): void {
    this.graph.remove(body);
    disposeOf(body);
  }

  /** Show these meshes and no others. */
  setMeshes(meshes: ReadonlyMap<string, Mesh>, kindOf: (name: string) => string): void {
    for (const [name, body] of this.bodies) {
      if (meshes.get(name) === body.userData["mesh"]) continue;
      this.remove(body);
      this.bodies.delete(name);
    }
    for (const [name, mesh] of meshes) {
      if (this.bodies.has(name)) continue;
      const body = bodyOf(name, kindOf(name), mesh);
      this.bodies.set(name, body);
      this.add(body);
    }
    this.applyClip();
    this.redraw();
  }

  setShown(shown: ReadonlyMap<string, Shown>): void {
    for (const [name, body] of this.bodies) {
      const look = shown.get(name);
      body.visible = look?.visible ?? true;
      if (look) setOpacity(body, body.userData["kind"] as string, look.opacity);
    }
    this.redraw();
  }

  /** Let one structure stand out as what is aimed at. */
  setTarget(aimed: string | null): void {
    for (const [name, body] of this.bodies) {
      (body.material as MeshLambertMaterial).emissive.set(name === aimed ? AIMED_AT : "#000000");
    }
    this.redraw();
  }

  setNeedles(
    drawn: readonly (readonly [Drawable, NeedleLook])[], limits: readonly Clearance[],
  ): void {
    for (const old of [...this.needles.children]) {
      this.needles.remove(old);
      disposeOf(old);
    }
    for (const [one, look] of drawn) this.needles.add(needle(one, look));
    for (const limit of limits) this.needles.add(whisker(limit));
    this.redraw();
  }

  /** Lay discs over the skin, in place of those before, and look at all of them from the back. */
  setOverlay(discs: InstancedMesh | null): void {
    if (this.overlay) this.remove(this.overlay);
    this.overlay = discs;
    if (discs && discs.count > 0) {
      this.add(discs);
      discs.computeBoundingSphere();
      const { center, radius } = discs.boundingSphere ?? new Sphere();
      this.look(center, STANDPOINTS.back, radius);
    }
    this.redraw();
  }

  /** Look at everything but the skin, from where the operator of a prone patient stands. */
  frameAll(): void {
    const box = new Box3();
    for (const body of this.bodies.values()) {
      const group = lookOf(body.userData["kind"] as string).group;
      if (group !== "Skin" && group !== "Pleura and organs" && group !== "Vessels") {
        box.expandByObject(body);
      }
    }
    if (box.isEmpty()) return;
    this.resize();
    const sphere = box.getBoundingSphere(new Sphere());
    this.look(sphere.center, new Vector3(0.35, 1, 0.3), sphere.radius * 1.05);
  }

  lookFrom(standpoint: Standpoint, trajectory: Trajectory | null): void {
    if (standpoint === "needle") {
      if (!trajectory) return;
      const { point, direction } = stationAt(trajectory.path, 0);
      const tip = vector(trajectory.tip_mm);
      this.look(tip, direction.negate(), Math.max(35, point.distanceTo(tip) * 0.35));
      return;
    }
    const radius = this.controls.target.distanceTo(this.camera.position) * Math.sin(this.halfAngle);
    this.look(this.controls.target.clone(), STANDPOINTS[standpoint], radius);
  }

  /** Bring needles into the middle, without turning. */
  centreOn(trajectories: readonly Pick<Trajectory, "entry_skin_mm" | "tip_mm">[]): void {
    const ends = trajectories.map(({ entry_skin_mm: entry, tip_mm: tip }) => [vector(entry), vector(tip)] as const);
    const middle = new Vector3();
    for (const [entry, tip] of ends) middle.addScaledVector(entry.clone().lerp(tip, 0.6), 1 / ends.length);
    const away = this.camera.position.clone().sub(this.controls.target);
    this.look(middle, away, 1.03 * Math.max(...ends.flat().map((end) => end.distanceTo(middle))));
  }

  private get halfAngle(): number {
    const vertical = (this.camera.fov * Math.PI) / 360;
    const [left, right] = this.covered;
    const free = 1 - (left + right) / Math.max(this.canvas.clientWidth, 1);
    return Math.min(vertical, Math.atan(Math.tan(vertical) * this.camera.aspect * free));
  }

  /** What lies over the left and the right of the scene, px: its middle is that of the rest. */
  setCovered(left: number, right: number): void {
    const most = 0.6 * this.canvas.clientWidth;
    const now = left + right > most ? ([0, 0] as const) : ([left, right] as const);
    if (now.every((px, i) => px === this.covered[i])) return;
    this.covered = now;
    this.resize();
  }

  private look(at: Vector3, from: Vector3, radius: number): void {
    this.controls.target.copy(at);
    const distance = radius / Math.sin(this.halfAngle);
    this.camera.position.copy(at).addScaledVector(from.clone().normalize(), distance);
    this.controls.update();
    this.redraw();
  }

  /** Turn about the target, degrees; for the keyboard. */
  orbit(horizontalDeg: number, verticalDeg: number): void {
    const away = this.camera.position.clone().sub(this.controls.target);
    away.applyAxisAngle(new Vector3(0, 0, 1), (horizontalDeg * Math.PI) / 180);
    const steeper = away.clone().applyAxisAngle(this.right, (verticalDeg * Math.PI) / 180);
    if (Math.abs(steeper.z) < steeper.length() * 0.999) away.copy(steeper);
    this.camera.position.copy(this.controls.target).add(away);
    this.controls.update();
    this.redraw();
  }

  zoom(factor: number): void {
    const away = this.camera.position.clone().sub(this.controls.target).multiplyScalar(factor);
    this.camera.position.copy(this.controls.target).add(away);
    this.controls.update();
    this.redraw();
  }

  /** Cut away what lies beyond a plane of the patient, `share` of the way through the scene. */
  setClip(axis: ClipAxis, share: number): number | null {
    if (axis === "off") {
      this.clip = null;
      this.applyClip();
      return null;
    }
    const normal = CLIP_NORMALS[axis];
    const box = new Box3();
    for (const body of this.bodies.values()) {
      if (lookOf(body.userData["kind"] as string).group !== "Skin") box.expandByObject(body);
    }
    const [low, high] = [box.min, box.max].map((end) => -normal.dot(end)) as [number, number];
    const at = low + (high - low) * share;
    this.clip = new Plane(normal, at);
    this.applyClip();
    return at;
  }

  private applyClip(): void {
    for (const body of this.bodies.values()) {
      (body.material as Material).clippingPlanes = this.clip ? [this.clip] : null;
    }
    this.redraw();
  }

  /** Where a point of the patient is in the window, px. */
  onScreen(point: Vector3): { x: number; y: number; inFront: boolean } {
    const seen = point.clone().project(this.camera);
    const { clientWidth, clientHeight } = this.canvas;
    return {
      x: ((seen.x + 1) / 2) * clientWidth, y: ((1 - seen.y) / 2) * clientHeight, inFront: seen.z < 1,
    };
  }

  rayAt(clientX: number, clientY: number): Raycaster {
    const box = this.canvas.getBoundingClientRect();
    const caster = new Raycaster();
    const x = ((clientX - box.left) / box.width) * 2 - 1;
    caster.setFromCamera(new Vector2(x, 1 - ((clientY - box.top) / box.height) * 2), this.camera);
    return caster;
  }

  setControls(enabled: boolean): void {
    this.controls.enabled = enabled;
  }

  private released(event: PointerEvent): void {
    const from = this.pressed;
    this.pressed = null;
    if (!from || from.distanceTo(new Vector2(event.clientX, event.clientY)) > CLICK_PX) return;
    const solid = [...this.bodies.values()].filter(
      (body) => body.visible && (body.material as Material).opacity > FAINT,
    );
    const hits = this.rayAt(event.clientX, event.clientY)
      .intersectObjects(solid, false)
      .filter(({ point }) => !this.clip || this.clip.distanceToPoint(point) >= 0);
    const first = hits[0];
    const box = this.canvas.getBoundingClientRect();
    const disc = this.overlay && this.rayAt(event.clientX, event.clientY).intersectObject(this.overlay)[0];
    if (disc?.instanceId !== undefined) {
      this.onOverlay(disc.instanceId, event.clientX - box.left, event.clientY - box.top);
      return;
    }
    this.onTouch(
      first
        ? {
            names: [...new Set(hits.map((hit) => hit.object.name))],
            point: first.point,
            x: event.clientX - box.left,
            y: event.clientY - box.top,
          }
        : null,
    );
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.canvas.parentElement ?? this.canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    const [left, right] = this.covered;
    this.camera.setViewOffset(clientWidth, clientHeight, (right - left) / 2, 0, clientWidth, clientHeight);
    this.camera.updateProjectionMatrix();
    this.redraw();
  }
}

/** Whether pictures are drawn by a graphics card: a processor takes twice as long for smooth edges. */
function hasGraphicsCard(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl && named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : "");
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|software|basic render/i.test(name);
}
