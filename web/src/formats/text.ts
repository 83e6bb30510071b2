/** Numbers and texts as Python writes them, so that equal answers are equal files. */
import { roundHalfEven } from "../geometry/looks";

/** A float as Python's `repr` has it: 1.0, 1e-05, -0.0. */
export function pythonFloat(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, power] = value.toExponential().split("e") as [string, string];
    const exponent = Math.abs(Number(power)).toString().padStart(2, "0");
    return `${digits}e${power.startsWith("-") ? "-" : "+"}${exponent}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** Rounded as `numpy.round` does. */
export function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  const whole = roundHalfEven(value * scale);
  return (whole === 0 && (value < 0 || Object.is(value, -0)) ? -0 : whole) / scale;
}

/** With so many decimals, as Python's format has it. */
export function fixed(value: number, digits: number): string {
  return Object.is(value, -0) ? `-${(0).toFixed(digits)}` : value.toFixed(digits);
}

/** A number as text has it: to the precision of 32 bits, which is what Python's tables keep. */
export const told = Math.fround;

/** Numbers, or lists of lists of them. */
export type Floats = number | readonly Floats[];

export function roundedAll(value: Floats, digits: number): Floats {
  return typeof value === "number" ? rounded(told(value), digits) : value.map((part) => roundedAll(part, digits));
}

/** JSON of floats, spaced as Python's `json.dumps` does. */
export function floatsJson(value: Floats): string {
  return typeof value === "number" ? pythonFloat(value) : `[${value.map(floatsJson).join(", ")}]`;
}

/** JSON of anything without floats, in ASCII, one level a space. */
export function asciiJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
