/** Surfaces as they look in the scene: translucent tissue with a firm rim, and metal. */

import {
  BufferAttribute, BufferGeometry, DoubleSide, FrontSide, Mesh as Body, MeshLambertMaterial,
  MeshPhongMaterial, type Material,
} from "three";

import { lookOf } from "../looks";
import type { Mesh } from "./ply";

/** Above this a surface hides what is behind it. */
const SOLID = 0.97;

export function bodyOf(name: string, kind: string, mesh: Mesh): Body {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(mesh.positions, 3));
  geometry.setIndex(new BufferAttribute(mesh.triangles, 1));
  geometry.computeVertexNormals();
  geometry.computeBoundingSphere();
  const body = new Body(geometry, materialOf(kind));
  body.name = name;
  body.userData["kind"] = kind;
  body.userData["mesh"] = mesh;
  return body;
}

export function setOpacity(body: Body, kind: string, opacity: number): void {
  const material = body.material as Material;
  const solid = opacity >= SOLID;
  material.opacity = opacity;
  if (material.transparent === solid) {
    material.transparent = !solid;
    material.depthWrite = solid;
    material.needsUpdate = true;
  }
  // Metal first, then what lies inside, then bone and skin around it.
  body.renderOrder = solid ? 0 : DRAWN_LAST.includes(lookOf(kind).group) ? 3 : 2;
}

const DRAWN_LAST = ["Bone", "Skin", "Pleura and organs"];

function materialOf(kind: string): Material {
  const look = lookOf(kind);
  if (look.metallic) {
    return new MeshPhongMaterial({
      color: look.colour, specular: "#ffffff", shininess: 55, side: FrontSide,
    });
  }
  const material = new MeshLambertMaterial({
    color: look.colour, side: DoubleSide, transparent: true, depthWrite: false,
    // Both sides of a wall look alike, so that drawing the far ones first would only take twice as long.
    forceSinglePass: true,
  });
  const rim = look.rim.toFixed(3);
  // Seen from the side a translucent wall is thicker to look through: that draws its outline.
  material.onBeforeCompile = (shader) => {
    shader.fragmentShader = shader.fragmentShader.replace(
      "#include <opaque_fragment>",
      `float facing = abs(dot(normalize(normal), normalize(vViewPosition)));
      diffuseColor.a = mix(diffuseColor.a, max(diffuseColor.a, ${rim} * min(1.0, diffuseColor.a * 6.0)), pow(1.0 - facing, 3.0));
      #include <opaque_fragment>`,
    );
  };
  material.customProgramCacheKey = () => `rim ${rim}`;
  return material;
}
