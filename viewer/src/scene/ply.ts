/** Reading the meshes the service sends: binary PLY, 64-bit coordinates, triangles. */

export interface Mesh {
  /** x, y, z of every vertex, patient LPS, mm. */
  readonly positions: Float32Array<ArrayBuffer>;
  /** Three vertices of every triangle. */
  readonly triangles: Uint32Array<ArrayBuffer>;
}

const HEADER =
  /^ply\nformat binary_little_endian 1\.0\n(?:comment [^\n]*\n)*element vertex (\d+)\nproperty double x\nproperty double y\nproperty double z\nelement face (\d+)\nproperty list uchar int vertex_indices\nend_header\n/;

/** Read a mesh; one that is not wholly there is refused, since what is not drawn looks clear. */
export function parsePly(bytes: ArrayBuffer): Mesh {
  const head = new TextDecoder("latin1").decode(new Uint8Array(bytes, 0, Math.min(1000, bytes.byteLength)));
  const found = HEADER.exec(head);
  if (!found) throw new Error("not a mesh as the service writes them");
  const [vertices, faces] = [Number(found[1]), Number(found[2])];
  if (bytes.byteLength !== found[0].length + 24 * vertices + 13 * faces) {
    throw new Error("the mesh is cut short");
  }
  const view = new DataView(bytes);
  let at = found[0].length;
  const positions = new Float32Array(3 * vertices);
  for (let i = 0; i < positions.length; i++, at += 8) positions[i] = view.getFloat64(at, true);
  const triangles = new Uint32Array(3 * faces);
  for (let i = 0; i < triangles.length; at += 13) {
    for (let corner = 1; corner < 13; corner += 4) triangles[i++] = view.getInt32(at + corner, true);
  }
  return { positions, triangles };
}
