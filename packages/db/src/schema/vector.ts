/**
 * Number of dimensions of an embedding: the width of `documents.embedding`. It is part of the schema; docs/search.md says how a migration changes it.
 */
export const embeddingWidth = 768;

/**
 * A vector as a parameter of a statement. A server gets pgvector's binary format, because printing and parsing text took a third of the time of a search. The
 * embedded database gets text.
 */
export class Vector {
  readonly #numbers: Float32Array;

  constructor(numbers: ArrayLike<number>) {
    this.#numbers = Float32Array.from(numbers);
  }

  /** Called by `pg`. Returns the dimensions and a reserved zero as 16 bits each, then the numbers as 32-bit floats (pgvector's `vector_send`). */
  toPostgres(): Buffer {
    const { buffer, byteLength, length } = this.#numbers;
    const bytes = Buffer.allocUnsafe(4 + byteLength);
    bytes.writeUInt32BE(length * 0x10000);
    bytes.set(new Uint8Array(buffer), 4);
    if (isLittleEndian) bytes.subarray(4).swap32();
    return bytes;
  }

  toString(): string {
    return `[${this.#numbers.join()}]`;
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * Scales the numbers to length 1. The cosine distance stays the same, and no square leaves the range of a 32-bit float.
 *
 * @returns undefined if all numbers are zero
 */
export function toUnitVector(numbers: readonly number[]): Vector | undefined {
  // Divided by the largest first, because its square may exceed a double.
  let largest = 0;
  for (const number of numbers) largest = Math.max(largest, Math.abs(number));
  if (largest === 0) return undefined;
  const scaled = Float64Array.from(numbers);
  let squares = 0;
  for (let index = 0; index < scaled.length; index++) {
    const number = (scaled[index] ?? 0) / largest;
    scaled[index] = number;
    squares += number * number;
  }
  const length = Math.sqrt(squares);
  for (let index = 0; index < scaled.length; index++) scaled[index] = (scaled[index] ?? 0) / length;
  return new Vector(scaled);
}
