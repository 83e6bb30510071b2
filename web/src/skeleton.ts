/** The hand's skeleton; mirrors `handscope.skeleton`. */

export const FINGERS = ["thumb", "index", "middle", "ring", "little"] as const;
export type Finger = (typeof FINGERS)[number];

export const JOINT_NAMES: readonly string[] = [
  "wrist",
  ...["cmc", "mcp", "ip", "tip"].map((part) => `thumb_${part}`),
  ...FINGERS.slice(1).flatMap((finger) => ["mcp", "pip", "dip", "tip"].map((part) => `${finger}_${part}`)),
];

export const WRIST = 0;
export const MIDDLE_MCP = 9;
export const TIPS = [4, 8, 12, 16, 20] as const;

/** (parent, child) of the 20 bones, ordered by child. */
export const BONES: readonly (readonly [number, number])[] = Array.from({ length: 20 }, (_, i) => [
  i % 4 === 0 ? 0 : i,
  i + 1,
]);

/** MANO's finger order: model joints are the wrist, then three joints of each of these fingers. */
export const MODEL_FINGERS = ["index", "middle", "little", "ring", "thumb"] as const;
/** The model joint above each of the 16, -1 for the wrist. */
export const MODEL_PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14] as const;
/** The model joint that carries the tip of thumb, index, middle, ring and little finger. */
export const MODEL_TIP_OWNERS = [15, 3, 6, 12, 9] as const;
/** Index into [16 model joints, then the five tips] for each canonical joint. */
export const MODEL_TO_CANONICAL = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20] as const;

/** The finger a canonical joint belongs to, or undefined for the wrist. */
export function fingerOf(joint: number): Finger | undefined {
  return joint === WRIST ? undefined : FINGERS[Math.floor((joint - 1) / 4)];
}
