/**
 * @file The seed of the property tests: the same in every run, so that a failure is of the change at hand.
 * `FC_SEED=random` looks further, `FC_SEED=<n>` repeats what was found; what it finds becomes a test of its own.
 */
import fc from "fast-check";

declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

const asked = process.env["FC_SEED"] ?? "1";

if (asked !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked) });
