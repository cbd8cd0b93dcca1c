/** @file What the API refused, with what to do next; and what could not reach it. */
import {
  AuthenticationError,
  HoneError,
  type Problem,
} from "../../../../sdk/typescript/src/index.ts";
import { useSession } from "../session.ts";
import { described } from "./described.tsx";

export function Refused({ error }: { error: Error | undefined }) {
  if (!error) return null;
  const problem = error instanceof HoneError ? error.problem : { detail: error.message };
  return (
    <div class="notice" role="alert">
      <ProblemText problem={problem} />
      {error instanceof AuthenticationError && <SignInAgain />}
    </div>
  );
}

/** Why a job failed. */
export function ProblemNotice({ problem }: { problem: Partial<Problem> }) {
  return (
    <div class="notice">
      <ProblemText problem={problem} />
    </div>
  );
}

function ProblemText({ problem }: { problem: Partial<Problem> }) {
  const { detail, title, hint, code, errors, request_id, offset } = problem;
  return (
    <>
      <p>
        <strong>{detail ?? title ?? "It failed."}</strong>
      </p>
      {errors && errors.length > 1 && (
        <ul>
          {errors.map(({ path, message }) => (
            <li key={path}>
              <code>{path}</code>: {message}
            </li>
          ))}
        </ul>
      )}
      {hint && <p>{described(hint)}</p>}
      {code && (
        <p class="faint">
          <code>{code}</code>
          {offset !== undefined && ` · at byte ${offset}`}
          {request_id && ` · request ${request_id}`}
        </p>
      )}
    </>
  );
}

function SignInAgain() {
  const { signOut } = useSession();
  return (
    <button type="button" onClick={signOut}>
      Sign in again
    </button>
  );
}
