/** @file Every problem the API answers with (RFC 9457): its code, status, title, and what to do next. */

interface ProblemKind {
  status:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 409
    | 411
    | 412
    | 413
    | 415
    | 416
    | 422
    | 426
    | 429
    | 500
    | 502
    | 503;
  title: string;
  hint: string;
}

const kind = (status: ProblemKind["status"], title: string, hint: string): ProblemKind => ({
  status,
  title,
  hint,
});

export const PROBLEMS = {
  // The request
  invalid_request: kind(
    400,
    "The request is not valid",
    "Correct what `errors` lists; /docs has every parameter.",
  ),
  unknown_option: kind(
    400,
    "There is no such option",
    "Use one of the names in /docs; `errors` has the nearest.",
  ),
  invalid_json: kind(
    400,
    "The body is not JSON",
    "Send one JSON object with Content-Type: application/json.",
  ),
  empty_body: kind(
    400,
    "The body is empty",
    "Send the model's bytes, e.g. with curl --data-binary @model.onnx.",
  ),
  incomplete_body: kind(
    400,
    "The body ended early",
    "Send it again; use /v1/uploads where connections break.",
  ),
  invalid_multipart: kind(
    400,
    "The multipart body is not valid",
    "Send a part `model` and one part per external data file, named by its location.",
  ),
  invalid_cursor: kind(
    400,
    "The cursor is not valid",
    "Take `next_cursor` from the page before, or leave it out.",
  ),
  unauthorized: kind(
    401,
    "An API key is needed",
    "Send Authorization: Bearer <key>; POST /v1/keys makes more keys.",
  ),
  invalid_signature: kind(
    401,
    "The delivery is not signed as the hook asks",
    "Sign with the hook's secret, and send within five minutes.",
  ),
  url_not_allowed: kind(
    403,
    "The URL may not be imported",
    "Use a public http(s) address, or upload the bytes.",
  ),
  insufficient_scope: kind(
    403,
    "The key may not do this",
    "Use a key with the scope that `detail` names; POST /v1/keys makes one.",
  ),
  not_found: kind(404, "Not found", "Check the id and the workspace that the key belongs to."),
  method_not_allowed: kind(
    405,
    "The method does not fit the path",
    "Use one of the methods in the Allow header.",
  ),
  length_required: kind(411, "The length is missing", "Send a Content-Length header."),
  upgrade_required: kind(
    426,
    "The path is for WebSockets",
    "Open a WebSocket, as `hone runner` and the page /runner do.",
  ),
  precondition_failed: kind(
    412,
    "It is another one than If-Match names",
    "GET it again for its ETag.",
  ),
  body_too_large: kind(
    413,
    "The body is too large",
    "Send large models in parts with POST /v1/uploads.",
  ),
  quota_exceeded: kind(
    413,
    "The workspace is full",
    "Delete models, datasets or uploads; GET /v1/workspace tells what is stored.",
  ),
  unsupported_media_type: kind(
    415,
    "The body's type is not supported",
    "Send JSON as application/json, bytes as application/octet-stream or multipart/form-data.",
  ),
  range_not_satisfiable: kind(
    416,
    "The range is not in the file",
    "Content-Range has the file's size.",
  ),
  idempotency_key_in_progress: kind(
    409,
    "The first request with this Idempotency-Key is under way",
    "Wait and send it again.",
  ),
  idempotency_key_reused: kind(
    422,
    "The Idempotency-Key belongs to another request",
    "Use a new key for a new request.",
  ),
  rate_limited: kind(429, "Too many requests", "Wait as long as Retry-After says."),

  // The resources
  last_key: kind(409, "This is the workspace's last key", "Make another key first."),
  model_in_use: kind(409, "A job is using the model", "Wait for the job to end, or cancel it."),
  job_already_finished: kind(409, "The job is over", "GET it for its result."),
  upload_not_open: kind(409, "The upload is not open", "Create a new upload."),
  upload_incomplete: kind(
    409,
    "The upload misses parts",
    "PUT the parts that `detail` names, then complete it.",
  ),
  part_size_invalid: kind(
    400,
    "The part's size is not allowed",
    "All parts of a file but the last have one size of at least 5 MiB.",
  ),

  // The model
  not_onnx: kind(415, "The body is not an ONNX model", "Export the model to ONNX first."),
  truncated: kind(422, "The model ends early", "Send the whole file."),
  malformed: kind(422, "The model is not valid protobuf", "Check the file with onnx.checker."),
  invalid_model: kind(
    422,
    "The model breaks ONNX's specification",
    "Check the file with onnx.checker.",
  ),
  limit_exceeded: kind(413, "The model passes a limit", "Simplify the model, or split it."),
  unsupported: kind(422, "The model uses what Hone cannot carry", "See `detail`."),
  external_data: kind(
    422,
    "The model's external data is not there",
    "Send every file as a multipart part named by its location.",
  ),
  unexpected_file: kind(
    422,
    "The model does not use that file",
    "Name each part by the location that the model spells.",
  ),
  invalid_samples: kind(
    422,
    "The samples do not fit the model",
    "Send an .npz whose arrays are named like the model's inputs.",
  ),

  // The dataset
  not_a_dataset: kind(
    415,
    "The body is not a dataset",
    "Send npz, npy, safetensors, csv (UTF-8) or parquet.",
  ),
  invalid_dataset: kind(
    422,
    "The dataset does not read",
    "Correct what `detail` names; /docs says what each format may have.",
  ),
  dataset_too_large: kind(
    413,
    "The dataset passes a limit",
    "Send fewer or smaller rows, or group columns into fields.",
  ),
  dataset_mismatch: kind(
    422,
    "The dataset does not fit the model",
    "Say which field feeds which input; GET the model and the dataset for types and shapes.",
  ),
  dataset_in_use: kind(
    409,
    "A job is reading the dataset",
    "Wait for the job to end, or cancel it.",
  ),

  // The measurement
  no_executor: kind(
    422,
    "Nobody can run this model",
    "Connect a runner (`hone runner`, or the page /runner), or use a smaller model.",
  ),
  task_failed: kind(
    422,
    "The work failed where it was done",
    "See `detail`; GET /v1/runners/log has what the runners said.",
  ),
  bound_missed: kind(
    422,
    "The model is not good enough",
    "Change the steps before, or the bound; `detail` has both figures.",
  ),
  external_data_not_run: kind(
    422,
    "Models with external data are not run there",
    "Use a model that is one file.",
  ),

  // The compression
  nothing_to_gain: kind(
    422,
    "The result would not be smaller",
    "Keep the model, or try the method that `detail` names.",
  ),
  not_close_enough: kind(
    422,
    "The result is not close enough",
    "Exclude the weakest nodes of `report`, or lower the bound.",
  ),
  does_not_load: kind(
    422,
    "ONNX Runtime does not load the model",
    "See `report` for ONNX Runtime's reason.",
  ),
  unknown_name: kind(
    422,
    "The model has no such name",
    "Use one of the nearest names in `detail`.",
  ),
  not_applicable: kind(422, "The method does not apply to this model", "Try method=auto."),
  result_has_external_data: kind(
    422,
    "The result needs external data",
    "Store the model and use POST /v1/models/{id}/quantize.",
  ),

  // The training
  training_mismatch: kind(
    422,
    "Model, dataset and options do not fit together",
    "See `detail`; /docs has every option, GET /v1/datasets/{id} the fields.",
  ),
  rank_too_small: kind(
    413,
    "The training does not fit a rank's memory",
    "Use a smaller batch_size, LoRA, fewer trainable parameters, or executor runner.",
  ),
  training_diverged: kind(
    422,
    "The loss is not a number",
    "Lower the learning rate or set clip_norm, and resume from a checkpoint before.",
  ),
  training_failed: kind(
    422,
    "The training cannot go on",
    "See `detail`; the checkpoints are kept.",
  ),

  // The import
  url_fetch_failed: kind(
    422,
    "The URL could not be fetched",
    "Check that it answers 200 to a plain GET.",
  ),

  // The service
  gave_up: kind(
    500,
    "The job was started several times and never ended",
    "Try a smaller model; tell us if it happens again.",
  ),
  internal_error: kind(
    500,
    "Something went wrong here",
    "Try again; tell us the request_id if it stays.",
  ),
  storage_unavailable: kind(503, "The storage does not answer", "Try again in a moment."),
  not_configured: kind(
    503,
    "The service is not set up for this",
    "Its operator has to set what `detail` names.",
  ),
  overloaded: kind(
    503,
    "All conversions are busy",
    "Wait as long as Retry-After says, or use a job.",
  ),
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;
