/**
 * How many numbers an embedding has: the width of `documents.embedding`, and a part of the schema. docs/search.md tells how a migration
 * changes it.
 */
export const embeddingWidth = 768;

/**
 * A vector as a parameter of a statement. A server gets pgvector's binary form, which neither side has to print or parse (a third of the
 * time of a search went there); the embedded database gets text.
 */
export class Vector {
  readonly #numbers: ArrayLike<number>;

  constructor(numbers: ArrayLike<number>) {
    this.#numbers = numbers;
  }

  /** What `pg` asks a parameter for: width and a reserved zero as 16 bits each, then the numbers as 32-bit floats (`vector_send`). */
  toPostgres(): Buffer {
    const bytes = Buffer.alloc(4 + 4 * this.#numbers.length);
    bytes.writeUInt16BE(this.#numbers.length, 0);
    for (let index = 0; index < this.#numbers.length; index++)
      bytes.writeFloatBE(this.#numbers[index] ?? 0, 4 + 4 * index);
    return bytes;
  }

  toString(): string {
    return `[${Array.from(this.#numbers, Math.fround).join()}]`;
  }
}

/**
 * The numbers, scaled to a length of 1: by cosine they mean the same, and no square of theirs leaves the range of a 32-bit float.
 *
 * @returns undefined where all are zero, so that there is no direction
 */
export function toUnitVector(numbers: readonly number[]): Vector | undefined {
  const largest = numbers.reduce((max, number) => Math.max(max, Math.abs(number)), 0);
  if (largest === 0) return undefined;
  const scaled = numbers.map((number) => number / largest);
  const length = Math.sqrt(scaled.reduce((sum, number) => sum + number * number, 0));
  return new Vector(scaled.map((number) => number / length));
}
