"use strict";
// Shows the binary glTF that the page carries: nothing is fetched, no library is needed.
const bytes = Uint8Array.from(atob(document.getElementById("glb").textContent), (c) => c.charCodeAt(0));
const length = new DataView(bytes.buffer).getUint32(12, true);
const gltf = JSON.parse(new TextDecoder().decode(bytes.subarray(20, 20 + length)));
const binary = 28 + length;
const canvas = document.querySelector("canvas");
const gl = canvas.getContext("webgl2", { antialias: true });
const READ = { 5126: Float32Array, 5125: Uint32Array, 5123: Uint16Array, 5121: Uint8Array };
const WIDE = { SCALAR: 1, VEC3: 3 };

function numbers(index) {
  const { bufferView, byteOffset = 0, componentType, count, type } = gltf.accessors[index];
  const start = binary + (gltf.bufferViews[bufferView].byteOffset ?? 0) + byteOffset;
  const Kind = READ[componentType];
  const size = count * WIDE[type];
  return new Kind(bytes.buffer.slice(start, start + size * Kind.BYTES_PER_ELEMENT));
}

const product = (a, b) => Array.from({ length: 16 }, (_, i) =>
  [0, 1, 2, 3].reduce((sum, k) => sum + a[(i % 4) + 4 * k] * b[k + 4 * (i >> 2)], 0));
const ONE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

function meshes(node, above) {
  const here = node.matrix ? product(above, node.matrix) : above;
  const below = (node.children ?? []).flatMap((child) => meshes(gltf.nodes[child], here));
  if (node.mesh === undefined) return below;
  const own = gltf.meshes[node.mesh].primitives.map((part) => ({
    name: node.name, matrix: here, points: numbers(part.attributes.POSITION), faces: numbers(part.indices),
    colour: gltf.materials[part.material].pbrMetallicRoughness.baseColorFactor ?? [1, 1, 1, 1], shown: true,
  }));
  return [...own, ...below];
}

const parts = gltf.scenes[gltf.scene ?? 0].nodes.flatMap((root) => meshes(gltf.nodes[root], ONE));

/** The middle of what matters: the target, or else the needles, or else all. Metres. */
function middle() {
  const of = (test) => parts.filter(({ name }) => test(name));
  const chosen = [of((n) => n === "target"), of((n) => n.startsWith("trajectory")), parts].find((some) => some.length > 0);
  const low = [1e9, 1e9, 1e9], high = [-1e9, -1e9, -1e9];
  for (const { points, matrix: m } of chosen) {
    for (let i = 0; i < points.length; i += 3) {
      for (let axis = 0; axis < 3; axis += 1) {
        const at = m[axis] * points[i] + m[axis + 4] * points[i + 1] + m[axis + 8] * points[i + 2] + m[axis + 12];
        low[axis] = Math.min(low[axis], at);
        high[axis] = Math.max(high[axis], at);
      }
    }
  }
  return low.map((value, axis) => (value + high[axis]) / 2);
}

const VERTEX = `#version 300 es
in vec3 point; uniform mat4 place, view, lens; out vec3 seen;
void main() { vec4 at = view * place * vec4(point, 1.0); seen = at.xyz; gl_Position = lens * at; }`;
const FRAGMENT = `#version 300 es
precision highp float; in vec3 seen; uniform vec4 colour; out vec4 ink;
void main() {
  float facing = abs(dot(normalize(cross(dFdx(seen), dFdy(seen))), normalize(seen)));
  float rim = colour.a < 1.0 ? mix(2.5, 0.8, facing) : 1.0;
  ink = vec4(colour.rgb * (0.35 + 0.65 * facing), min(1.0, colour.a * rim));
}`;

function compiled() {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}

function buffered(part, program) {
  part.array = gl.createVertexArray();
  gl.bindVertexArray(part.array);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, part.points, gl.STATIC_DRAW);
  const at = gl.getAttribLocation(program, "point");
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, 3, gl.FLOAT, false, 0, 0);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(part.faces), gl.STATIC_DRAW);
}

// Angles of the eye round the target: yaw 0 is in front of the patient, pi behind. glTF: y superior, z anterior.
const VIEWS = { "From behind": [Math.PI, 0.1], "From the left": [Math.PI / 2, 0], "From the right": [-Math.PI / 2, 0], "From the head": [Math.PI, 1.5] };
const centre = middle();
let eye = { yaw: Math.PI - 0.6, pitch: 0.35, far: 0.32, right: 0, up: 0 };

function drawn(program) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * devicePixelRatio)));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  gl.viewport(0, 0, width, height);
  gl.clearColor(0.043, 0.055, 0.075, 1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  const [cy, sy, cp, sp] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)];
  const turn = [cy, -sp * sy, cp * sy, 0, 0, cp, sp, 0, -sy, -sp * cy, cp * cy, 0, 0, 0, 0, 1];
  const home = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -centre[0], -centre[1], -centre[2], 1];
  const away = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, eye.right, eye.up, -eye.far, 1];
  const [near, end, focal] = [0.01, 3, 2.2];
  const lens = [focal * height / width, 0, 0, 0, 0, focal, 0, 0, 0, 0, (end + near) / (near - end), -1, 0, 0, 2 * end * near / (near - end), 0];
  const uniform = (name) => gl.getUniformLocation(program, name);
  gl.uniformMatrix4fv(uniform("view"), false, product(away, product(turn, home)));
  gl.uniformMatrix4fv(uniform("lens"), false, lens);
  for (const solid of [true, false]) {
    gl.depthMask(solid);
    for (const part of parts.filter(({ colour, shown }) => shown && (colour[3] >= 1) === solid)) {
      gl.uniformMatrix4fv(uniform("place"), false, part.matrix);
      gl.uniform4fv(uniform("colour"), part.colour);
      gl.bindVertexArray(part.array);
      gl.drawElements(gl.TRIANGLES, part.faces.length, gl.UNSIGNED_INT, 0);
    }
  }
  gl.depthMask(true);
}

function choices(draw) {
  const rows = parts.map((part) => {
    const row = document.createElement("label"), box = document.createElement("input"), dot = document.createElement("i");
    Object.assign(box, { type: "checkbox", checked: true, onchange: () => { part.shown = box.checked; draw(); } });
    dot.style.background = `rgb(${part.colour.slice(0, 3).map((share) => Math.round(255 * share))})`;
    row.append(box, dot, part.name.replaceAll("_", " "));
    return row;
  });
  document.querySelector("nav").append(...rows);
  const buttons = Object.entries(VIEWS).map(([name, [yaw, pitch]]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: name, onclick: () => { eye = { ...eye, yaw, pitch, right: 0, up: 0 }; draw(); } });
    return button;
  });
  document.querySelector("footer").append(...buttons);
}

function steered(draw) {
  canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
  canvas.onpointermove = (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const [x, y] = [event.movementX, event.movementY];
    if (event.shiftKey) eye = { ...eye, right: eye.right + x * eye.far / 900, up: eye.up - y * eye.far / 900 };
    else eye = { ...eye, yaw: eye.yaw - x / 150, pitch: Math.max(-1.5, Math.min(1.5, eye.pitch + y / 150)) };
    draw();
  };
  canvas.onwheel = (event) => {
    event.preventDefault();
    eye.far = Math.max(0.05, Math.min(2, eye.far * Math.exp(event.deltaY / 800)));
    draw();
  };
  addEventListener("resize", draw);
}

if (gl) {
  const program = compiled();
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  parts.forEach((part) => buffered(part, program));
  const draw = () => requestAnimationFrame(() => drawn(program));
  choices(draw);
  steered(draw);
  draw();
} else {
  document.getElementById("said").textContent = "This browser has no WebGL 2, so the plan cannot be shown in three dimensions here.";
}
