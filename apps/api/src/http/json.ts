// Bounds on JSON, checked before a schema is: how many values, how deep, and whether PostgreSQL can store them.

/** Values in one body. A vector (an array of numbers) counts as one. */
export const nodesMax = 10_000;
export const depthMax = 64;
/** The longest array of numbers that counts as one value. pgvector indexes at most 2,000 dimensions. */
const vectorLengthMax = 4_000;
/** Numbers in one body, in vectors and elsewhere. */
const numbersMax = 1_000_000;

export interface JsonFault {
  /** A JSON pointer (RFC 6901). */
  pointer: string;
  message: string;
}

/** An object or array during traversal. `next` is the index of the next member. */
interface Frame {
  members: readonly unknown[];
  /** The members' names; undefined for an array. */
  names: readonly string[] | undefined;
  next: number;
}

/**
 * Walks a parsed body up to its first error: too many values, nesting that is too deep, a NUL character, half of a surrogate pair, or a number beyond
 * a double's range (`1e999` parses as Infinity, which JSON would store as null). Does not recurse, and builds a pointer only for an error.
 *
 * @returns `nodes`: how many values were visited, at most `nodesMax` + 1
 */
export function inspectJson(root: unknown): { nodes: number; fault?: JsonFault } {
  const frames: Frame[] = [];
  let nodes = 0;

  /** Returns what is wrong with a value. Remembers a container for the walk. */
  const enter = (value: unknown): string | undefined => {
    nodes += 1;
    if (nodes > nodesMax) return tooManyValues;
    if (typeof value === 'string') return isStorable(value) ? undefined : 'contains characters that cannot be stored';
    if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'is too large a number';
    // Bytes and streams are bodies without JSON.
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || 'pipe' in value) return undefined;
    if (frames.length >= depthMax) return tooDeep;
    if (Array.isArray(value)) {
      if (!isVector(value)) frames.push({ members: value, names: undefined, next: 0 });
      return undefined;
    }
    const names = Object.keys(value);
    frames.push({ members: Object.values(value), names, next: 0 });
    return undefined;
  };
  const stop = (message: string) => {
    const isOfWholeBody = message === tooManyValues || message === tooDeep;
    return { nodes, fault: { pointer: isOfWholeBody ? '' : pointerTo(frames), message } };
  };

  const wrong = enter(root);
  if (wrong) return stop(wrong);
  for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
    const place = frame.next++;
    if (place >= frame.members.length) {
      frames.pop();
      continue;
    }
    const name = frame.names?.[place];
    if (name !== undefined && !isStorable(name)) {
      frames.pop();
      return stop('has a name with characters that cannot be stored');
    }
    const fault = enter(frame.members[place]);
    if (fault) return stop(fault);
  }
  return { nodes };
}

const tooManyValues = `has more than ${nodesMax} values`;
const tooDeep = `is nested deeper than ${depthMax} levels`;

const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed();

const isVector = (value: readonly unknown[]) =>
  value.length <= vectorLengthMax && value.length > 0 && value.every(Number.isFinite);

/** A pointer to the member that the walk has reached. */
function pointerTo(frames: readonly Frame[]): string {
  return frames
    .map(({ names, next }) => `/${(names?.[next - 1] ?? String(next - 1)).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [openBracket, openBrace, letterF, letterN, letterT, minus] = [0x5b, 0x7b, 0x66, 0x6e, 0x74, 0x2d];
const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

/**
 * Counts the values in a JSON text without parsing it, which would take 30 bytes of memory for each `[]`. Reads 16 MiB in 30 ms.
 *
 * @returns whether it has more than `nodesMax` values besides numbers, more than `nodesMax` names, or more than a million numbers
 */
export function hasTooManyValues(text: Uint8Array): boolean {
  let values = 0;
  let names = 0;
  let numbers = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    if (byte === quote) {
      at = endOfString(text, at);
      values += 1;
    } else if (byte === colon) {
      values -= 1; // the string before it was a name
      names += 1;
    } else if (isDigit(byte) || byte === minus) {
      numbers += 1;
      while (isPartOfNumber(text[at + 1])) at += 1;
    } else if (byte === openBracket || byte === openBrace || byte === letterT || byte === letterF || byte === letterN) {
      values += 1;
    }
    if (values > nodesMax || names > nodesMax || numbers > numbersMax) return true;
  }
  return false;
}

/** The place of the quote that ends the string that begins at `start`. */
function endOfString(text: Uint8Array, start: number): number {
  for (let end = text.indexOf(quote, start + 1); end !== -1; end = text.indexOf(quote, end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

const isPartOfNumber = (byte: number | undefined) =>
  byte !== undefined &&
  (isDigit(byte) || byte === 0x2e || byte === 0x2b || byte === minus || byte === 0x65 || byte === 0x45);
