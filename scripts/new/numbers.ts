// The arguments of number types: `decimal(10,2)`, `integer(1,5)`.

export const number = (text: string | undefined) => (/^\d+$/.test(text ?? '') ? Number(text) : Number.NaN);

/** Digits of a `decimal`, and whether it may be negative: a third argument 0 forbids it. */
export const decimals = ([precision, scale, min]: string[]) => ({
  precision: number(precision),
  scale: number(scale),
  isSigned: min === undefined,
});
export const decimalPattern = (args: string[]) => {
  const { precision, scale, isSigned } = decimals(args);
  return `^${isSigned ? '-?' : ''}\\d{1,${precision - scale}}${scale > 0 ? `(\\.\\d{1,${scale}})?` : ''}$`;
};
/** The bounds of an `integer`: by default what PostgreSQL stores. */
export const range = ([min = '-2147483648', max = '2147483647']: string[]) => ({ min: whole(min), max: whole(max) });
const whole = (text: string) =>
  /^-?\d{1,10}$/.test(text) && Math.abs(Number(text)) <= 2 ** 31 ? Number(text) : Number.NaN;
/** Writes a number as code: `10_000`. */
export const grouped = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, '_');
export const fixed = (value: number, args: string[]) => value.toFixed(decimals(args).scale);
