import type { AuditAction } from '@quoin/db';
import { type Static, type TSchema, Type } from 'typebox';
import type { Language, Phrases } from './phrases.ts';

/** What a mail carries, issued when it is sent: the token of its link, or a code. */
export type MailSecretKind = 'reset_password' | 'verify_email' | 'sign_in_code' | 'invitation';

/** A kind of mail: one file in `kinds/`. */
export interface MailKind<Data extends TSchema = TSchema> {
  /** Unique. Waiting mails refer to it. */
  name: string;
  /** After this time the mail is useless and is not sent any more. */
  lifetimeSeconds: number;
  /** What the sender passes. Admins see it, so it contains no secret. */
  data: Data;
  /** For the preview. */
  example: Static<Data>;
  /** If no account waits for the secret, no mail is sent. */
  secret?: MailSecretKind;
  /** Page of the front end that the mail links to. It gets the secret as a parameter. */
  page?: string;
  /** More parameters of the page. */
  parameters?: (data: Static<Data>) => Record<string, string>;
  /** Whether anyone can request it for any address. Fewer of these are sent to one mailbox. */
  isRequested?: boolean;
  /** Recorded when the mail is sent and not by the request, which must cost the same whether the account exists or not. */
  requestEvent?: AuditAction;
  texts: Record<Language, (facts: Facts<Static<Data>>) => MailText>;
}

/** What a text can mention. */
interface Facts<Data> extends Phrases {
  /** Host of the front end. */
  site: string;
  /** Date and time of the cause, in UTC. */
  at: string;
  /** Address of the client that caused it. */
  ipAddress: string | null;
  /** URL of `page`, with the secret. Empty if the kind has no page. */
  url: string;
  /** The code; empty in other mails. */
  code: string;
  data: Data;
}

/** The subject, then paragraphs. A code and a link stand out. */
type MailText = readonly [subject: string, ...parts: MailPart[]];
export type MailPart = string | { label: string; url: string } | { code: string };

/** Notices reach a person who does not read mail for three days. */
export const noticeSeconds = 3 * 86_400;

const NoData = Type.Object({});

/** Defines a kind of mail, with data or without. */
export function defineMail<Data extends TSchema>(kind: MailKind<Data>): MailKind<Data>;
export function defineMail(kind: Omit<MailKind<typeof NoData>, 'data' | 'example'>): MailKind<typeof NoData>;
export function defineMail(kind: Omit<MailKind, 'data' | 'example'>): MailKind {
  return { data: NoData, example: {}, ...kind };
}
