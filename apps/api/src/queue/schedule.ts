import { CronExpressionParser } from 'cron-parser';
import { Type } from 'typebox';
import type { JobDefinition } from './job.ts';

/** When a schedule runs. */
export interface Rule {
  /** Minute, hour, day of the month, month, day of the week: `0 3 * * *`. */
  cron: string;
  /** Name in the IANA database: `Europe/London`. Default UTC. */
  timeZone?: string;
}

export const TickData = Type.Object({ rule: Type.String(), scheduled_for: Type.String() });

/** A job that runs at certain times. */
export interface Schedule {
  definition: JobDefinition;
  rule: Rule;
}

/** Identifies a rule. */
export const ruleText = ({ cron, timeZone = 'UTC' }: Rule): string => `${cron} ${timeZone}`;

/**
 * Returns the first tick after `after`. When clocks go forward, a tick in the missing hour is an hour later. When they go back, a tick with a fixed hour
 * happens once.
 *
 * @throws Error if the expression or the time zone is not valid
 */
export function nextTick({ cron, timeZone = 'UTC' }: Rule, after: Date): Date {
  if (cron.trim().split(/\s+/).length !== 5) throw new Error(`"${cron}" is not a cron expression with five fields`);
  return CronExpressionParser.parse(cron, { tz: timeZone, currentDate: after }).next().toDate();
}
