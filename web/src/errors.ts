/** One clear sentence for the user: what was found, what was expected, what to do. */
export class HandscopeError extends Error {
  override name = "HandscopeError";
}
