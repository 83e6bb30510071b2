/** Forward kinematics of a hand of 16 joints in MANO's order; mirrors `handscope.hand.kinematics`. */
import { apply3, IDENTITY3, minus, plus, product3, type Matrix3, type Point3 } from "../geometry/linear";

export interface Chain {
  rotations: Matrix3[];
  positions: Point3[];
}

/** Rotations and places of the 16 rest joints after the 15 turns `local`. */
export function chain(joints: readonly Point3[], local: readonly Matrix3[]): Chain {
  const rotations: Matrix3[] = [IDENTITY3];
  const positions: Point3[] = [joints[0]!];
  for (let finger = 0; finger < 5; finger++) {
    for (let i = 0; i < 3; i++) {
      const joint = 1 + 3 * finger + i;
      const turn = local[joint - 1]!;
      if (i === 0) {
        positions[joint] = joints[joint]!;
        rotations[joint] = turn;
      } else {
        const bone = minus(joints[joint]!, joints[joint - 1]!);
        positions[joint] = plus(positions[joint - 1]!, apply3(rotations[joint - 1]!, bone));
        rotations[joint] = product3(rotations[joint - 1]!, turn);
      }
    }
  }
  return { rotations, positions };
}

/** Places of points that joints `owners` carry along; `offsets` from there at rest. */
export function carried(
  offsets: readonly Point3[],
  owners: readonly number[],
  { rotations, positions }: Chain,
): Point3[] {
  return offsets.map((offset, i) => plus(positions[owners[i]!]!, apply3(rotations[owners[i]!]!, offset)));
}
