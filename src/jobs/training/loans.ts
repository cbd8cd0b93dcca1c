/**
 * @file Payloads that stay where they are: Durable Objects of one class often share an isolate, and then a message carries
 * a number by which the peer reads what is lent. A loan is held weakly, so that the memory of a rank that died is not kept.
 */
import { PeerError } from "../../collectives/transport.ts";

/** The number of a payload that stays where it is, in the memory of an isolate that both ranks live in. */
export type Loan = number;

let token: string | undefined;

/** A name for the isolate that this module was loaded into. */
export function isolate(): string {
  return (token ??= crypto.randomUUID());
}

const loans = new Map<Loan, WeakRef<Uint8Array<ArrayBuffer>>>();
let loansGiven = 0;

/** A payload on loan, until `end`; its lender holds it. */
export class Lent {
  readonly number: Loan;
  readonly payload: Uint8Array<ArrayBuffer>;

  constructor(payload: Uint8Array<ArrayBuffer>) {
    this.number = ++loansGiven;
    this.payload = payload;
    loans.set(this.number, new WeakRef(payload));
  }

  end(): void {
    loans.delete(this.number);
  }
}

/** @throws PeerError `lost` when the lender has given up or is gone */
export function borrow(number: Loan, from: number): Uint8Array<ArrayBuffer> {
  const payload = loans.get(number)?.deref();
  if (payload) return payload;
  throw new PeerError("lost", from, `transport: rank ${from} has withdrawn what it lent`);
}
