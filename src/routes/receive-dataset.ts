/** @file A dataset's file as it comes in: raw bytes, a form with one part `dataset`, or a URL to fetch. */
import { z } from "@hono/zod-openapi";
import { importUrl } from "../import/import-url.ts";
import { ApiError } from "../problem/api-error.ts";
import { Spool, type Spooled } from "../store/spool.ts";
import type { TemporaryObjects } from "../store/temporary-objects.ts";
import { bodyChunks, declaredBytes, jsonBody, limited } from "./body.ts";
import type { AppContext } from "./context.ts";
import { boundaryOf, readMultipart } from "./multipart.ts";
import { refuseEncoding, spoolChunks } from "./receive-model.ts";
import { invalidRequest } from "./validation.ts";

const PART = "dataset";

export const DatasetImport = z
  .strictObject({
    url: z.url().max(2000).openapi({ example: "https://example.com/digits.npz" }),
  })
  .openapi("DatasetImportRequest");

export interface ReceivedDataset {
  /** The form's file name, or the URL's last step. */
  filename: string | undefined;
  file: Spooled;
}

/**
 * Receives the body. What kind of file it is, its bytes say: of the content types only multipart/form-data and
 * application/json matter.
 * @throws ApiError 400, 403, 413, 415, 422
 */
export async function receiveDataset(
  c: AppContext,
  objects: TemporaryObjects,
): Promise<ReceivedDataset> {
  refuseEncoding(c);
  const contentType = c.req.header("Content-Type") ?? "";
  const boundary = boundaryOf(contentType);
  if (boundary !== undefined) return await receiveForm(c, objects, boundary);
  if (/^application\/json\b/i.test(contentType)) return await fetchUrl(c, objects);
  const file = await spoolChunks(bodyChunks(c), objects, declaredBytes(c));
  return { filename: undefined, file };
}

async function receiveForm(
  c: AppContext,
  objects: TemporaryObjects,
  boundary: string,
): Promise<ReceivedDataset> {
  let filename: string | undefined;
  let spool: Spool | undefined;
  try {
    await readMultipart(bodyChunks(c), boundary, async (header) => {
      if (header.name !== PART || spool) {
        throw new ApiError(
          "invalid_multipart",
          `the form has a part "${header.name}"; one part "${PART}" is taken`,
        );
      }
      filename = header.filename;
      const sink = new Spool(objects);
      spool = sink;
      return (bytes) => sink.write(bytes);
    });
  } catch (error) {
    await spool?.abort();
    throw error;
  }
  if (!spool) throw new ApiError("invalid_multipart", `the form has no part named "${PART}"`);
  const file = await spool.finish();
  if (file.bytes === 0) throw new ApiError("empty_body", `the part "${PART}" is empty`);
  return { filename, file };
}

async function fetchUrl(c: AppContext, objects: TemporaryObjects): Promise<ReceivedDataset> {
  const { value } = await jsonBody(c);
  const request = DatasetImport.safeParse(value);
  if (!request.success) throw invalidRequest(request.error.issues, "json", ["url"]);
  const response = await importUrl(request.data.url, c.env);
  const { pathname } = new URL(request.data.url);
  const filename = pathname.slice(pathname.lastIndexOf("/") + 1) || undefined;
  const file = await spoolChunks(limited(response.body, Number(c.env.MAX_BODY_BYTES)), objects);
  return { filename, file };
}
