/** How kinds of structures and needles look, the same as in the service's own pictures. */

export interface Look {
  readonly colour: string;
  readonly opacity: number;
  /** Opacity where a translucent surface is seen from the side. */
  readonly rim: number;
  readonly metallic?: boolean;
  readonly group: string;
}

const BONE: Look = { colour: "#e9e0cc", opacity: 0.2, rim: 0.75, group: "Bone" };
const METAL: Look = { colour: "#a9b4c2", opacity: 1, rim: 1, metallic: true, group: "Hardware" };

const LOOKS: Readonly<Record<string, Look>> = {
  vertebra: BONE,
  sacrum: BONE,
  ilium: { ...BONE, opacity: 0.12 },
  rib: { ...BONE, opacity: 0.16 },
  other_bone: { ...BONE, opacity: 0.1 },
  disc: { colour: "#9fb8a0", opacity: 0.25, rim: 0.5, group: "Bone" },
  screw: METAL,
  rod: METAL,
  crosslink: METAL,
  cage: METAL,
  cement: { colour: "#8e9b7a", opacity: 0.85, rim: 1, group: "Hardware" },
  canal: { colour: "#e8cf6a", opacity: 0.6, rim: 0.95, group: "Nerves" },
  nerve_root: { colour: "#e8cf6a", opacity: 0.85, rim: 1, group: "Nerves" },
  pleura: { colour: "#8fb7d9", opacity: 0.14, rim: 0.55, group: "Pleura and organs" },
  vessel: { colour: "#d2504c", opacity: 0.4, rim: 0.9, group: "Vessels" },
  segmental_vessel: { colour: "#d98682", opacity: 0.5, rim: 0.9, group: "Vessels" },
  organ: { colour: "#8a6a5c", opacity: 0.14, rim: 0.5, group: "Pleura and organs" },
  fluid: { colour: "#5fa8a0", opacity: 0.35, rim: 0.7, group: "Findings" },
  skin: { colour: "#c9a58b", opacity: 0.015, rim: 0.2, group: "Skin" },
  halo: { colour: "#b58bc9", opacity: 0.45, rim: 0.9, group: "Findings" },
  lesion: { colour: "#9a6fb0", opacity: 0.45, rim: 0.9, group: "Findings" },
};

const UNKNOWN: Look = { colour: "#bbbbbb", opacity: 0.4, rim: 0.8, group: "Other" };

export const GROUPS = [
  "Bone", "Hardware", "Nerves", "Vessels", "Pleura and organs", "Findings", "Skin", "Other",
] as const;

export function lookOf(kind: string): Look {
  return LOOKS[kind] ?? UNKNOWN;
}

export const KINDS: readonly string[] = Object.keys(LOOKS);

const NEEDLES = ["#ff6a13", "#56b4e9", "#00b588", "#f27bc0", "#f0e442", "#9b6bff"] as const;

/** Colour of the needle of that rank (from 1), or of one that was drawn by hand (0). */
export function needleColour(rank: number): string {
  return rank < 1 ? "#ffffff" : (NEEDLES[(rank - 1) % NEEDLES.length] ?? NEEDLES[0]);
}

/** Classes of margin on the skin, the least first. Colours told apart by colour-blind readers
 * (Okabe and Ito); size goes with them, so that nothing hangs on colour alone. */
export const MARGIN_CLASSES = [
  { from: -Infinity, colour: "#d55e00", share: 0.45, text: "✕ breaks a limit" },
  { from: 0, colour: "#e69f00", share: 0.6, text: "0 to 1 mm" },
  { from: 1, colour: "#f0e442", share: 0.75, text: "1 to 2 mm" },
  { from: 2, colour: "#56b4e9", share: 0.9, text: "2 to 4 mm" },
  { from: 4, colour: "#35d0a0", share: 1, text: "4 mm or more" },
] as const;

export function marginClass(marginMm: number): (typeof MARGIN_CLASSES)[number] {
  return MARGIN_CLASSES.findLast(({ from }) => marginMm >= from) ?? MARGIN_CLASSES[0];
}
