"""Made from openapi.yaml by npm run sdk; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Union

JobQueuedEvent = TypedDict(
    "JobQueuedEvent",
    {
        "id": "str",
        "type": "Literal[\"job.queued\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

CompressionJobProgress = TypedDict(
    "CompressionJobProgress",
    {
        "fraction": "float",
        "doing": "str",
    },
)

CompressionJobResult = TypedDict(
    "CompressionJobResult",
    {
        "model_id": "str",
        "report_id": "str",
        "report": "ReportSummary",
    },
)

CompressionJob = TypedDict(
    "CompressionJob",
    {
        "id": "str",
        "object": "Literal[\"job\"]",
        "model_id": "str",
        "options": "dict[str, Any]",
        "state": "Literal[\"queued\", \"running\", \"succeeded\", \"failed\", \"canceled\"]",
        "error": "Union[Problem, None]",
        "created_at": "int",
        "started_at": "Union[int, None]",
        "finished_at": "Union[int, None]",
        "operation": "Literal[\"quantize\", \"prune\", \"simplify\"]",
        "progress": "CompressionJobProgress",
        "attempts": "int",
        "result": "Union[CompressionJobResult, None]",
    },
)

ProblemErrorsItem = TypedDict(
    "ProblemErrorsItem",
    {
        "path": "str",
        "message": "str",
    },
)

Problem = TypedDict(
    "Problem",
    {
        "type": "str",
        "title": "str",
        "status": "int",
        "detail": "str",
        "code": "Literal[\"invalid_request\", \"unknown_option\", \"invalid_json\", \"empty_body\", \"incomplete_body\", \"invalid_multipart\", \"invalid_cursor\", \"unauthorized\", \"invalid_signature\", \"url_not_allowed\", \"insufficient_scope\", \"not_found\", \"method_not_allowed\", \"length_required\", \"upgrade_required\", \"precondition_failed\", \"body_too_large\", \"quota_exceeded\", \"unsupported_media_type\", \"range_not_satisfiable\", \"idempotency_key_in_progress\", \"idempotency_key_reused\", \"rate_limited\", \"last_key\", \"model_in_use\", \"job_already_finished\", \"upload_not_open\", \"upload_incomplete\", \"part_size_invalid\", \"not_onnx\", \"truncated\", \"malformed\", \"invalid_model\", \"limit_exceeded\", \"unsupported\", \"external_data\", \"unexpected_file\", \"invalid_samples\", \"not_a_dataset\", \"invalid_dataset\", \"dataset_too_large\", \"dataset_mismatch\", \"dataset_in_use\", \"no_executor\", \"task_failed\", \"bound_missed\", \"external_data_not_run\", \"nothing_to_gain\", \"not_close_enough\", \"does_not_load\", \"unknown_name\", \"not_applicable\", \"result_has_external_data\", \"training_mismatch\", \"rank_too_small\", \"training_diverged\", \"training_failed\", \"url_fetch_failed\", \"gave_up\", \"internal_error\", \"storage_unavailable\", \"not_configured\", \"overloaded\"]",
        "hint": "str",
        "request_id": NotRequired["str"],
        "errors": NotRequired["list[ProblemErrorsItem]"],
        "offset": NotRequired["int"],
        "report": NotRequired["dict[str, Any]"],
    },
)

ReportSummary = TypedDict(
    "ReportSummary",
    {
        "operation": "Literal[\"quantize\", \"prune\", \"simplify\"]",
        "method": "str",
        "bytes_before": "int",
        "bytes_after": "int",
        "ratio": "float",
        "verified": "bool",
        "min_cosine": "Union[float, None]",
        "min_sqnr_db": "Union[float, None]",
        "changed": "int",
        "kept": "int",
        "nodes_before": NotRequired["int"],
        "nodes_after": NotRequired["int"],
    },
)

TrainingJobProgress = TypedDict(
    "TrainingJobProgress",
    {
        "fraction": "float",
        "doing": "str",
        "step": "int",
        "steps": "int",
        "epoch": "int",
        "loss": "Union[float, None]",
        "samples_per_second": "Union[float, None]",
        "bytes_reduced": "int",
        "ranks": "list[RankFigures]",
    },
)

TrainingJobResult = TypedDict(
    "TrainingJobResult",
    {
        "model_id": "str",
        "step": "int",
        "metrics": "Any",
    },
)

TrainingJob = TypedDict(
    "TrainingJob",
    {
        "id": "str",
        "object": "Literal[\"job\"]",
        "model_id": "str",
        "options": "dict[str, Any]",
        "state": "Literal[\"queued\", \"running\", \"succeeded\", \"failed\", \"canceled\"]",
        "error": "Union[Problem, None]",
        "created_at": "int",
        "started_at": "Union[int, None]",
        "finished_at": "Union[int, None]",
        "operation": "Literal[\"train\"]",
        "dataset_id": "str",
        "progress": "TrainingJobProgress",
        "attempts": "int",
        "metrics": "list[EpochMetrics]",
        "checkpoint_step": "Union[int, None]",
        "result": "Union[TrainingJobResult, None]",
    },
)

RankFigures = TypedDict(
    "RankFigures",
    {
        "rank": "int",
        "step": "int",
        "executor": "str",
        "compute_ms": "float",
        "allreduce_ms": "float",
        "wait_ms": "float",
        "staleness": "Union[int, None]",
        "bytes_sent": "int",
    },
)

EpochMetrics = TypedDict(
    "EpochMetrics",
    {
        "epoch": "int",
        "step": "int",
        "loss": "float",
        "accuracy": "Union[float, None]",
        "validation_loss": "Union[float, None]",
        "validation_accuracy": "Union[float, None]",
    },
)

MeasurementJobProgress = TypedDict(
    "MeasurementJobProgress",
    {
        "fraction": "float",
        "doing": "str",
    },
)

MeasurementJobResultResult = TypedDict(
    "MeasurementJobResultResult",
    {
        "runs": "int",
        "median_ms": "float",
        "p90_ms": "float",
        "min_ms": "float",
        "load_ms": "float",
    },
)

MeasurementJobResultOriginal = TypedDict(
    "MeasurementJobResultOriginal",
    {
        "runs": "int",
        "median_ms": "float",
        "p90_ms": "float",
        "min_ms": "float",
        "load_ms": "float",
    },
)

MeasurementJobResult = TypedDict(
    "MeasurementJobResult",
    {
        "backend": "str",
        "device": "str",
        "result": "MeasurementJobResultResult",
        "original": "Union[MeasurementJobResultOriginal, None]",
    },
)

MeasurementJobResult1OutputsItem = TypedDict(
    "MeasurementJobResult1OutputsItem",
    {
        "name": "str",
        "cosine": "Union[float, None]",
        "sqnr_db": "Union[float, None]",
        "max_abs_error": "Union[float, None]",
    },
)

MeasurementJobResult1 = TypedDict(
    "MeasurementJobResult1",
    {
        "backend": "str",
        "loaded": "bool",
        "ran": "bool",
        "reason": "Union[str, None]",
        "min_cosine": "Union[float, None]",
        "min_sqnr_db": "Union[float, None]",
        "outputs": "list[MeasurementJobResult1OutputsItem]",
    },
)

MeasurementJobResult2 = TypedDict(
    "MeasurementJobResult2",
    {
        "backend": "str",
        "rows": "int",
        "metrics": "dict[str, float]",
    },
)

MeasurementJobResult3ValuesValue = TypedDict(
    "MeasurementJobResult3ValuesValue",
    {
        "min": "float",
        "max": "float",
        "low": "float",
        "high": "float",
    },
)

MeasurementJobResult3 = TypedDict(
    "MeasurementJobResult3",
    {
        "backend": "str",
        "inputs": "str",
        "made_up": "bool",
        "runs": "int",
        "values": "dict[str, MeasurementJobResult3ValuesValue]",
        "unusable": "dict[str, str]",
    },
)

MeasurementJob = TypedDict(
    "MeasurementJob",
    {
        "id": "str",
        "object": "Literal[\"job\"]",
        "model_id": "str",
        "options": "dict[str, Any]",
        "state": "Literal[\"queued\", \"running\", \"succeeded\", \"failed\", \"canceled\"]",
        "error": "Union[Problem, None]",
        "created_at": "int",
        "started_at": "Union[int, None]",
        "finished_at": "Union[int, None]",
        "operation": "Literal[\"benchmark\", \"verify\", \"evaluate\", \"calibrate\"]",
        "progress": "MeasurementJobProgress",
        "attempts": "int",
        "executor": "Union[str, None]",
        "result": "Union[MeasurementJobResult, MeasurementJobResult1, MeasurementJobResult2, MeasurementJobResult3, None]",
    },
)

OptimizeJobRecipe = TypedDict(
    "OptimizeJobRecipe",
    {
        "id": "str",
        "name": "str",
        "version": "int",
    },
)

OptimizeJobProgressStepsItem = TypedDict(
    "OptimizeJobProgressStepsItem",
    {
        "op": "Literal[\"simplify\", \"quantize\", \"prune\", \"train\", \"verify\", \"benchmark\", \"evaluate\"]",
        "state": "Literal[\"waiting\", \"running\", \"succeeded\", \"failed\", \"canceled\"]",
        "job_id": "Union[str, None]",
        "fraction": "float",
        "doing": "str",
        "of": NotRequired["str"],
    },
)

OptimizeJobProgress = TypedDict(
    "OptimizeJobProgress",
    {
        "fraction": "float",
        "doing": "str",
        "steps": "list[OptimizeJobProgressStepsItem]",
    },
)

OptimizeJobResultLinksFilesItem = TypedDict(
    "OptimizeJobResultLinksFilesItem",
    {
        "file": "str",
        "bytes": "int",
        "sha256": "str",
        "place": "str",
    },
)

OptimizeJobResultLinks = TypedDict(
    "OptimizeJobResultLinks",
    {
        "expires_at": "int",
        "files": "list[OptimizeJobResultLinksFilesItem]",
    },
)

OptimizeJobResult = TypedDict(
    "OptimizeJobResult",
    {
        "model_id": "str",
        "bytes_before": "int",
        "bytes": "int",
        "ratio": "float",
        "steps": "list[RecipeStepResult]",
        "search": NotRequired["SearchReport"],
        "lineage": "list[str]",
        "links": NotRequired["OptimizeJobResultLinks"],
    },
)

OptimizeJob = TypedDict(
    "OptimizeJob",
    {
        "id": "str",
        "object": "Literal[\"job\"]",
        "model_id": "str",
        "options": "dict[str, Any]",
        "state": "Literal[\"queued\", \"running\", \"succeeded\", \"failed\", \"canceled\"]",
        "error": "Union[Problem, None]",
        "created_at": "int",
        "started_at": "Union[int, None]",
        "finished_at": "Union[int, None]",
        "operation": "Literal[\"optimize\"]",
        "recipe": "Union[OptimizeJobRecipe, None]",
        "progress": "OptimizeJobProgress",
        "attempts": "int",
        "result": "Union[OptimizeJobResult, None]",
    },
)

RecipeStepResultMeasuredResult = TypedDict(
    "RecipeStepResultMeasuredResult",
    {
        "runs": "int",
        "median_ms": "float",
        "p90_ms": "float",
        "min_ms": "float",
        "load_ms": "float",
    },
)

RecipeStepResultMeasuredOriginal = TypedDict(
    "RecipeStepResultMeasuredOriginal",
    {
        "runs": "int",
        "median_ms": "float",
        "p90_ms": "float",
        "min_ms": "float",
        "load_ms": "float",
    },
)

RecipeStepResultMeasured = TypedDict(
    "RecipeStepResultMeasured",
    {
        "backend": "str",
        "device": "str",
        "result": "RecipeStepResultMeasuredResult",
        "original": "Union[RecipeStepResultMeasuredOriginal, None]",
    },
)

RecipeStepResultMeasured1OutputsItem = TypedDict(
    "RecipeStepResultMeasured1OutputsItem",
    {
        "name": "str",
        "cosine": "Union[float, None]",
        "sqnr_db": "Union[float, None]",
        "max_abs_error": "Union[float, None]",
    },
)

RecipeStepResultMeasured1 = TypedDict(
    "RecipeStepResultMeasured1",
    {
        "backend": "str",
        "loaded": "bool",
        "ran": "bool",
        "reason": "Union[str, None]",
        "min_cosine": "Union[float, None]",
        "min_sqnr_db": "Union[float, None]",
        "outputs": "list[RecipeStepResultMeasured1OutputsItem]",
    },
)

RecipeStepResultMeasured2 = TypedDict(
    "RecipeStepResultMeasured2",
    {
        "backend": "str",
        "rows": "int",
        "metrics": "dict[str, float]",
    },
)

RecipeStepResultMeasured3ValuesValue = TypedDict(
    "RecipeStepResultMeasured3ValuesValue",
    {
        "min": "float",
        "max": "float",
        "low": "float",
        "high": "float",
    },
)

RecipeStepResultMeasured3 = TypedDict(
    "RecipeStepResultMeasured3",
    {
        "backend": "str",
        "inputs": "str",
        "made_up": "bool",
        "runs": "int",
        "values": "dict[str, RecipeStepResultMeasured3ValuesValue]",
        "unusable": "dict[str, str]",
    },
)

RecipeStepResult = TypedDict(
    "RecipeStepResult",
    {
        "op": "Literal[\"simplify\", \"quantize\", \"prune\", \"train\", \"verify\", \"benchmark\", \"evaluate\"]",
        "job_id": "str",
        "model_id": "str",
        "sha256": "str",
        "bytes": "int",
        "ms": "int",
        "cached": "bool",
        "measured": "Union[RecipeStepResultMeasured, RecipeStepResultMeasured1, RecipeStepResultMeasured2, RecipeStepResultMeasured3, None]",
    },
)

SearchReport = TypedDict(
    "SearchReport",
    {
        "metric": "str",
        "minimize": "Literal[\"bytes\", \"latency\"]",
        "max_drop": "float",
        "best": "Union[int, None]",
        "excluded_nodes": "list[str]",
        "evaluations": "int",
        "exhausted": "bool",
        "trials": "list[SearchTrial]",
    },
)

SearchTrial = TypedDict(
    "SearchTrial",
    {
        "method": "str",
        "excluded_nodes": "int",
        "job_id": "Union[str, None]",
        "evaluation_job_id": "Union[str, None]",
        "model_id": "Union[str, None]",
        "bytes": "Union[int, None]",
        "metric": "Union[float, None]",
        "latency_ms": "Union[float, None]",
        "drop": "Union[float, None]",
        "meets": "bool",
        "on_curve": "bool",
        "refusal": "Union[str, None]",
    },
)

JobRunningEvent = TypedDict(
    "JobRunningEvent",
    {
        "id": "str",
        "type": "Literal[\"job.running\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

JobProgressEvent = TypedDict(
    "JobProgressEvent",
    {
        "id": "str",
        "type": "Literal[\"job.progress\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

JobSucceededEvent = TypedDict(
    "JobSucceededEvent",
    {
        "id": "str",
        "type": "Literal[\"job.succeeded\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

JobFailedEvent = TypedDict(
    "JobFailedEvent",
    {
        "id": "str",
        "type": "Literal[\"job.failed\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

JobCanceledEvent = TypedDict(
    "JobCanceledEvent",
    {
        "id": "str",
        "type": "Literal[\"job.canceled\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "Job",
    },
)

ModelCreatedEvent = TypedDict(
    "ModelCreatedEvent",
    {
        "id": "str",
        "type": "Literal[\"model.created\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "WebhookModel",
    },
)

WebhookModel = TypedDict(
    "WebhookModel",
    {
        "id": "str",
        "object": "Literal[\"model\"]",
        "name": "str",
        "job_id": "Union[str, None]",
    },
)

ModelDeletedEvent = TypedDict(
    "ModelDeletedEvent",
    {
        "id": "str",
        "type": "Literal[\"model.deleted\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "WebhookModel",
    },
)

RunnerLostEvent = TypedDict(
    "RunnerLostEvent",
    {
        "id": "str",
        "type": "Literal[\"runner.lost\"]",
        "timestamp": "str",
        "sequence": "int",
        "truncated": NotRequired["bool"],
        "data": "WebhookRunner",
    },
)

WebhookRunner = TypedDict(
    "WebhookRunner",
    {
        "id": "str",
        "object": "Literal[\"runner\"]",
        "info": NotRequired["dict[str, Any]"],
    },
)

CompressForm = TypedDict(
    "CompressForm",
    {
        "model": "str",
        "samples": NotRequired["str"],
    },
)

QuantizeOptionsCalibrationInputsValue1 = TypedDict(
    "QuantizeOptionsCalibrationInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

QuantizeOptions = TypedDict(
    "QuantizeOptions",
    {
        "method": NotRequired["Literal[\"auto\", \"dynamic\", \"static\", \"weight_only\", \"float16\", \"bfloat16\"]"],
        "dtype": NotRequired["Literal[\"fp16\", \"q8\", \"int8\", \"uint8\", \"q4\", \"q4f16\", \"bnb4\", \"q2\", \"q2f16\", \"fp32\"]"],
        "weight_type": NotRequired["Literal[\"qint8\", \"quint8\"]"],
        "activation_type": NotRequired["Literal[\"qint8\", \"quint8\"]"],
        "activation_symmetric": NotRequired["bool"],
        "weight_symmetric": NotRequired["bool"],
        "per_channel": NotRequired["bool"],
        "reduce_range": NotRequired["bool"],
        "nodes_to_quantize": NotRequired["list[str]"],
        "nodes_to_exclude": NotRequired["list[str]"],
        "op_types_to_quantize": NotRequired["list[str]"],
        "bits": NotRequired["Literal[2, 4, 8]"],
        "block_size": NotRequired["int"],
        "is_symmetric": NotRequired["bool"],
        "accuracy_level": NotRequired["int"],
        "quant_format": NotRequired["Literal[\"QOperator\", \"QDQ\"]"],
        "algorithm": NotRequired["Literal[\"rtn\", \"hqq\", \"bnb4\"]"],
        "quant_type": NotRequired["Literal[\"nf4\", \"fp4\"]"],
        "keep_io_types": NotRequired["Union[bool, list[str]]"],
        "op_block_list": NotRequired["list[str]"],
        "node_block_list": NotRequired["list[str]"],
        "min_positive_val": NotRequired["float"],
        "max_finite_val": NotRequired["float"],
        "calibrate_method": NotRequired["Literal[\"minmax\", \"percentile\", \"entropy\"]"],
        "percentile": NotRequired["float"],
        "calibration_bins": NotRequired["int"],
        "calibration_moving_average": NotRequired["bool"],
        "calibration_range_symmetric": NotRequired["bool"],
        "calibration_dataset": NotRequired["str"],
        "calibration_inputs": NotRequired["dict[str, Union[str, QuantizeOptionsCalibrationInputsValue1]]"],
        "calibration_rows": NotRequired["int"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

PruneOptionsAmount1 = TypedDict(
    "PruneOptionsAmount1",
    {
        "count": "int",
    },
)

PruneOptionsAmountsValue1 = TypedDict(
    "PruneOptionsAmountsValue1",
    {
        "count": "int",
    },
)

PruneOptions = TypedDict(
    "PruneOptions",
    {
        "method": NotRequired["Literal[\"l1_unstructured\", \"random_unstructured\", \"ln_structured\", \"random_structured\", \"global_unstructured\", \"n_m\"]"],
        "amount": NotRequired["Union[float, PruneOptionsAmount1]"],
        "amounts": NotRequired["dict[str, Union[float, PruneOptionsAmountsValue1]]"],
        "n": NotRequired["Union[float, Literal[\"inf\", \"-inf\", \"fro\"]]"],
        "dim": NotRequired["Union[int, Literal[\"output\", \"input\"]]"],
        "pattern": NotRequired["str"],
        "seed": NotRequired["int"],
        "storage": NotRequired["Literal[\"dense\", \"sparse\"]"],
        "nodes_to_prune": NotRequired["list[str]"],
        "nodes_to_exclude": NotRequired["list[str]"],
        "op_types": NotRequired["list[str]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

SimplifyOptions = TypedDict(
    "SimplifyOptions",
    {
        "passes": NotRequired["list[Literal[\"inline_functions\", \"store_constants\", \"fold_shapes\", \"fold_constants\", \"inline_if\", \"eliminate_noops\", \"merge_transposes\", \"merge_reshapes\", \"fuse_batch_normalization\", \"fuse_scale_shift\", \"merge_initializers\", \"merge_common_subexpressions\", \"eliminate_unused\"]]"],
        "skip_passes": NotRequired["list[Literal[\"inline_functions\", \"store_constants\", \"fold_shapes\", \"fold_constants\", \"inline_if\", \"eliminate_noops\", \"merge_transposes\", \"merge_reshapes\", \"fuse_batch_normalization\", \"fuse_scale_shift\", \"merge_initializers\", \"merge_common_subexpressions\", \"eliminate_unused\"]]"],
        "fold_constants_limit": NotRequired["int"],
        "fuse_batch_normalization": NotRequired["bool"],
        "input_shapes": NotRequired["dict[str, list[int]]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

ModelList = TypedDict(
    "ModelList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Model]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

ModelExternalDataItem = TypedDict(
    "ModelExternalDataItem",
    {
        "location": "str",
        "bytes": "int",
        "sha256": "str",
    },
)

ModelLineageRecipe = TypedDict(
    "ModelLineageRecipe",
    {
        "id": "str",
        "name": "str",
        "version": "int",
    },
)

ModelLineage = TypedDict(
    "ModelLineage",
    {
        "parent": "str",
        "job": "str",
        "operation": "str",
        "options": "dict[str, Any]",
        "dataset": NotRequired["str"],
        "recipe": NotRequired["ModelLineageRecipe"],
    },
)

Model = TypedDict(
    "Model",
    {
        "id": "str",
        "object": "Literal[\"model\"]",
        "name": "str",
        "sha256": "str",
        "bytes": "int",
        "opset": "Union[int, None]",
        "opsets": "dict[str, int]",
        "ir_version": "int",
        "producer": "str",
        "nodes": "int",
        "parameters": "int",
        "inputs": "list[Value]",
        "outputs": "list[Value]",
        "external_data": "list[ModelExternalDataItem]",
        "job_id": "Union[str, None]",
        "lineage": "Union[ModelLineage, None]",
        "created_at": "int",
    },
)

Value = TypedDict(
    "Value",
    {
        "name": "str",
        "type": "str",
        "shape": "Union[list[Union[float, str, None]], None]",
    },
)

ModelForm = TypedDict(
    "ModelForm",
    {
        "model": "str",
    },
)

ImportRequest = TypedDict(
    "ImportRequest",
    {
        "url": "str",
    },
)

BenchmarkRequest = TypedDict(
    "BenchmarkRequest",
    {
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
        "original": NotRequired["str"],
        "runs": NotRequired["int"],
    },
)

VerifyRequest = TypedDict(
    "VerifyRequest",
    {
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
        "original": "str",
    },
)

EvaluateRequestInputsValue1 = TypedDict(
    "EvaluateRequestInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

EvaluateRequestSplit = TypedDict(
    "EvaluateRequestSplit",
    {
        "fraction": "float",
        "seed": NotRequired["int"],
    },
)

EvaluateRequest = TypedDict(
    "EvaluateRequest",
    {
        "dataset": "str",
        "inputs": NotRequired["dict[str, Union[str, EvaluateRequestInputsValue1]]"],
        "label": NotRequired["str"],
        "output": NotRequired["str"],
        "from_logits": NotRequired["bool"],
        "class_axis": NotRequired["int"],
        "ignore_index": NotRequired["int"],
        "delta": NotRequired["float"],
        "batch_size": NotRequired["int"],
        "split": NotRequired["EvaluateRequestSplit"],
        "limit": NotRequired["int"],
        "metrics": NotRequired["list[str]"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
    },
)

CalibrateRequestInputsValue1 = TypedDict(
    "CalibrateRequestInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

CalibrateRequest = TypedDict(
    "CalibrateRequest",
    {
        "dataset": NotRequired["str"],
        "inputs": NotRequired["dict[str, Union[str, CalibrateRequestInputsValue1]]"],
        "limit": NotRequired["int"],
        "op_types_to_quantize": NotRequired["list[str]"],
        "calibrate_method": NotRequired["Literal[\"minmax\", \"percentile\", \"entropy\"]"],
        "percentile": NotRequired["float"],
        "calibration_bins": NotRequired["int"],
        "calibration_moving_average": NotRequired["bool"],
        "calibration_range_symmetric": NotRequired["bool"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
    },
)

OptimizationPlanStepsItem = TypedDict(
    "OptimizationPlanStepsItem",
    {
        "op": "Literal[\"simplify\", \"quantize\", \"prune\", \"train\", \"verify\", \"benchmark\", \"evaluate\", None]",
        "options": "dict[str, Any]",
        "bytes": "Union[int, None]",
        "cached": "bool",
        "model_id": "Union[str, None]",
        "refusal": "Union[Problem, None]",
    },
)

OptimizationPlan = TypedDict(
    "OptimizationPlan",
    {
        "object": "Literal[\"optimization_plan\"]",
        "model_id": "str",
        "ok": "bool",
        "steps": "list[OptimizationPlanStepsItem]",
        "search": NotRequired["SearchPlan"],
    },
)

SearchPlanCandidatesItem = TypedDict(
    "SearchPlanCandidatesItem",
    {
        "method": "str",
        "options": "dict[str, Any]",
        "bytes": "int",
        "nodes": "int",
    },
)

SearchPlanRefusedItem = TypedDict(
    "SearchPlanRefusedItem",
    {
        "method": "str",
        "reason": "str",
    },
)

SearchPlan = TypedDict(
    "SearchPlan",
    {
        "max_evaluations": "int",
        "candidates": "list[SearchPlanCandidatesItem]",
        "refused": "list[SearchPlanRefusedItem]",
    },
)

OptimizeRequest = TypedDict(
    "OptimizeRequest",
    {
        "steps": NotRequired["list[RecipeStep]"],
        "recipe": NotRequired["str"],
        "goal": NotRequired["SearchGoal"],
        "name": NotRequired["str"],
        "dry_run": NotRequired["bool"],
    },
)

SimplifyStep = TypedDict(
    "SimplifyStep",
    {
        "op": "Literal[\"simplify\"]",
        "passes": NotRequired["list[Literal[\"inline_functions\", \"store_constants\", \"fold_shapes\", \"fold_constants\", \"inline_if\", \"eliminate_noops\", \"merge_transposes\", \"merge_reshapes\", \"fuse_batch_normalization\", \"fuse_scale_shift\", \"merge_initializers\", \"merge_common_subexpressions\", \"eliminate_unused\"]]"],
        "skip_passes": NotRequired["list[Literal[\"inline_functions\", \"store_constants\", \"fold_shapes\", \"fold_constants\", \"inline_if\", \"eliminate_noops\", \"merge_transposes\", \"merge_reshapes\", \"fuse_batch_normalization\", \"fuse_scale_shift\", \"merge_initializers\", \"merge_common_subexpressions\", \"eliminate_unused\"]]"],
        "fold_constants_limit": NotRequired["int"],
        "fuse_batch_normalization": NotRequired["bool"],
        "input_shapes": NotRequired["dict[str, list[int]]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

QuantizeStepCalibrationInputsValue1 = TypedDict(
    "QuantizeStepCalibrationInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

QuantizeStep = TypedDict(
    "QuantizeStep",
    {
        "op": "Literal[\"quantize\"]",
        "method": NotRequired["Literal[\"auto\", \"dynamic\", \"static\", \"weight_only\", \"float16\", \"bfloat16\"]"],
        "dtype": NotRequired["Literal[\"fp16\", \"q8\", \"int8\", \"uint8\", \"q4\", \"q4f16\", \"bnb4\", \"q2\", \"q2f16\", \"fp32\"]"],
        "weight_type": NotRequired["Literal[\"qint8\", \"quint8\"]"],
        "activation_type": NotRequired["Literal[\"qint8\", \"quint8\"]"],
        "activation_symmetric": NotRequired["bool"],
        "weight_symmetric": NotRequired["bool"],
        "per_channel": NotRequired["bool"],
        "reduce_range": NotRequired["bool"],
        "nodes_to_quantize": NotRequired["list[str]"],
        "nodes_to_exclude": NotRequired["list[str]"],
        "op_types_to_quantize": NotRequired["list[str]"],
        "bits": NotRequired["Literal[2, 4, 8]"],
        "block_size": NotRequired["int"],
        "is_symmetric": NotRequired["bool"],
        "accuracy_level": NotRequired["int"],
        "quant_format": NotRequired["Literal[\"QOperator\", \"QDQ\"]"],
        "algorithm": NotRequired["Literal[\"rtn\", \"hqq\", \"bnb4\"]"],
        "quant_type": NotRequired["Literal[\"nf4\", \"fp4\"]"],
        "keep_io_types": NotRequired["Union[bool, list[str]]"],
        "op_block_list": NotRequired["list[str]"],
        "node_block_list": NotRequired["list[str]"],
        "min_positive_val": NotRequired["float"],
        "max_finite_val": NotRequired["float"],
        "calibrate_method": NotRequired["Literal[\"minmax\", \"percentile\", \"entropy\"]"],
        "percentile": NotRequired["float"],
        "calibration_bins": NotRequired["int"],
        "calibration_moving_average": NotRequired["bool"],
        "calibration_range_symmetric": NotRequired["bool"],
        "calibration_dataset": NotRequired["str"],
        "calibration_inputs": NotRequired["dict[str, Union[str, QuantizeStepCalibrationInputsValue1]]"],
        "calibration_rows": NotRequired["int"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

PruneStepAmount1 = TypedDict(
    "PruneStepAmount1",
    {
        "count": "int",
    },
)

PruneStepAmountsValue1 = TypedDict(
    "PruneStepAmountsValue1",
    {
        "count": "int",
    },
)

PruneStep = TypedDict(
    "PruneStep",
    {
        "op": "Literal[\"prune\"]",
        "method": NotRequired["Literal[\"l1_unstructured\", \"random_unstructured\", \"ln_structured\", \"random_structured\", \"global_unstructured\", \"n_m\"]"],
        "amount": NotRequired["Union[float, PruneStepAmount1]"],
        "amounts": NotRequired["dict[str, Union[float, PruneStepAmountsValue1]]"],
        "n": NotRequired["Union[float, Literal[\"inf\", \"-inf\", \"fro\"]]"],
        "dim": NotRequired["Union[int, Literal[\"output\", \"input\"]]"],
        "pattern": NotRequired["str"],
        "seed": NotRequired["int"],
        "storage": NotRequired["Literal[\"dense\", \"sparse\"]"],
        "nodes_to_prune": NotRequired["list[str]"],
        "nodes_to_exclude": NotRequired["list[str]"],
        "op_types": NotRequired["list[str]"],
        "min_sqnr_db": NotRequired["float"],
        "min_cosine": NotRequired["float"],
        "verify": NotRequired["bool"],
    },
)

TrainStepInputsValue1 = TypedDict(
    "TrainStepInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

TrainStepValidation = TypedDict(
    "TrainStepValidation",
    {
        "fraction": "float",
    },
)

TrainStepValidation1 = TypedDict(
    "TrainStepValidation1",
    {
        "dataset": "str",
    },
)

TrainStepLoss2 = TypedDict(
    "TrainStepLoss2",
    {
        "type": "Union[Literal[\"cross_entropy\", \"binary_cross_entropy\", \"mse\", \"l1\", \"huber\", \"kl_divergence\"], str]",
        "output": NotRequired["str"],
        "from_logits": NotRequired["bool"],
        "label_smoothing": NotRequired["float"],
        "ignore_index": NotRequired["int"],
        "class_axis": NotRequired["int"],
        "delta": NotRequired["float"],
    },
)

TrainStepOptimizer1 = TypedDict(
    "TrainStepOptimizer1",
    {
        "type": "Literal[\"sgd\", \"adam\", \"adamw\", \"lion\"]",
        "lr": NotRequired["float"],
        "weight_decay": NotRequired["float"],
        "no_decay": NotRequired["list[str]"],
        "momentum": NotRequired["float"],
        "dampening": NotRequired["float"],
        "nesterov": NotRequired["bool"],
        "betas": NotRequired["list[Any]"],
        "eps": NotRequired["float"],
    },
)

TrainStepSchedule1 = TypedDict(
    "TrainStepSchedule1",
    {
        "type": "Literal[\"constant\", \"step\", \"cosine\", \"linear\"]",
        "warmup_steps": NotRequired["int"],
        "step_size": NotRequired["int"],
        "gamma": NotRequired["float"],
        "min_lr": NotRequired["float"],
    },
)

TrainStepLora1 = TypedDict(
    "TrainStepLora1",
    {
        "rank": NotRequired["int"],
        "alpha": NotRequired["float"],
        "target": NotRequired["list[str]"],
    },
)

TrainStepQat1 = TypedDict(
    "TrainStepQat1",
    {
        "activations": NotRequired["Literal[\"uint8\", \"int8\", \"none\"]"],
        "per_channel": NotRequired["bool"],
        "averaging": NotRequired["float"],
        "op_types": NotRequired["list[Literal[\"Conv\", \"ConvTranspose\", \"Gemm\", \"MatMul\"]]"],
        "nodes_to_exclude": NotRequired["list[str]"],
    },
)

TrainStepTeacher = TypedDict(
    "TrainStepTeacher",
    {
        "model": NotRequired["str"],
        "field": NotRequired["str"],
        "temperature": NotRequired["float"],
        "from_logits": NotRequired["bool"],
        "alpha": NotRequired["float"],
    },
)

TrainStepAllreduce = TypedDict(
    "TrainStepAllreduce",
    {
        "algorithm": NotRequired["Literal[\"direct\", \"ring\"]"],
        "compression": NotRequired["Literal[\"none\", \"float16\", \"bfloat16\", \"int8\", \"top_k\"]"],
    },
)

TrainStepRunners = TypedDict(
    "TrainStepRunners",
    {
        "compression": NotRequired["Literal[\"none\", \"float16\", \"bfloat16\"]"],
    },
)

TrainStep = TypedDict(
    "TrainStep",
    {
        "op": "Literal[\"train\"]",
        "dataset": "str",
        "inputs": NotRequired["dict[str, Union[str, TrainStepInputsValue1]]"],
        "label": NotRequired["str"],
        "validation": NotRequired["Union[TrainStepValidation, TrainStepValidation1]"],
        "metrics": NotRequired["list[Literal[\"loss\", \"accuracy\"]]"],
        "shuffle": NotRequired["bool"],
        "loss": NotRequired["Union[Literal[\"cross_entropy\", \"binary_cross_entropy\", \"mse\", \"l1\", \"huber\", \"kl_divergence\"], str, TrainStepLoss2]"],
        "optimizer": NotRequired["Union[Literal[\"sgd\", \"adam\", \"adamw\", \"lion\"], TrainStepOptimizer1]"],
        "lr": NotRequired["float"],
        "schedule": NotRequired["Union[Literal[\"constant\", \"step\", \"cosine\", \"linear\"], TrainStepSchedule1]"],
        "clip_norm": NotRequired["float"],
        "accumulation_steps": NotRequired["int"],
        "batch_size": NotRequired["int"],
        "epochs": NotRequired["int"],
        "steps": NotRequired["int"],
        "seed": NotRequired["int"],
        "trainable": NotRequired["list[str]"],
        "frozen": NotRequired["list[str]"],
        "lora": NotRequired["Union[bool, TrainStepLora1]"],
        "keep_sparsity": NotRequired["bool"],
        "qat": NotRequired["Union[bool, TrainStepQat1]"],
        "teacher": NotRequired["TrainStepTeacher"],
        "batch_normalization": NotRequired["Literal[\"train\", \"frozen\"]"],
        "dropout": NotRequired["bool"],
        "mode": NotRequired["Literal[\"sync\", \"async\", \"local_sgd\"]"],
        "world_size": NotRequired["int"],
        "allreduce": NotRequired["TrainStepAllreduce"],
        "max_staleness": NotRequired["int"],
        "local_steps": NotRequired["int"],
        "outer_lr": NotRequired["float"],
        "outer_momentum": NotRequired["float"],
        "executor": NotRequired["Literal[\"edge\", \"runner\", \"auto\"]"],
        "runners": NotRequired["TrainStepRunners"],
        "checkpoint_every": NotRequired["int"],
    },
)

VerifyStep = TypedDict(
    "VerifyStep",
    {
        "op": "Literal[\"verify\"]",
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
        "original": NotRequired["str"],
    },
)

BenchmarkStep = TypedDict(
    "BenchmarkStep",
    {
        "op": "Literal[\"benchmark\"]",
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
        "original": NotRequired["str"],
        "runs": NotRequired["int"],
    },
)

EvaluateStepInputsValue1 = TypedDict(
    "EvaluateStepInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

EvaluateStepSplit = TypedDict(
    "EvaluateStepSplit",
    {
        "fraction": "float",
        "seed": NotRequired["int"],
    },
)

EvaluateStep = TypedDict(
    "EvaluateStep",
    {
        "op": "Literal[\"evaluate\"]",
        "dataset": "str",
        "inputs": NotRequired["dict[str, Union[str, EvaluateStepInputsValue1]]"],
        "label": NotRequired["str"],
        "output": NotRequired["str"],
        "from_logits": NotRequired["bool"],
        "class_axis": NotRequired["int"],
        "ignore_index": NotRequired["int"],
        "delta": NotRequired["float"],
        "batch_size": NotRequired["int"],
        "split": NotRequired["EvaluateStepSplit"],
        "limit": NotRequired["int"],
        "metrics": NotRequired["list[str]"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
        "min": NotRequired["dict[str, float]"],
        "max": NotRequired["dict[str, float]"],
    },
)

SearchGoalInputsValue1 = TypedDict(
    "SearchGoalInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

SearchGoalSplit = TypedDict(
    "SearchGoalSplit",
    {
        "fraction": "float",
        "seed": NotRequired["int"],
    },
)

SearchGoal = TypedDict(
    "SearchGoal",
    {
        "max_drop": "float",
        "metric": "str",
        "dataset": "str",
        "inputs": NotRequired["dict[str, Union[str, SearchGoalInputsValue1]]"],
        "label": NotRequired["str"],
        "output": NotRequired["str"],
        "from_logits": NotRequired["bool"],
        "class_axis": NotRequired["int"],
        "ignore_index": NotRequired["int"],
        "delta": NotRequired["float"],
        "batch_size": NotRequired["int"],
        "split": NotRequired["SearchGoalSplit"],
        "limit": NotRequired["int"],
        "minimize": NotRequired["Literal[\"bytes\", \"latency\"]"],
        "max_evaluations": NotRequired["int"],
        "keep": NotRequired["Literal[\"best\", \"all\"]"],
        "executor": NotRequired["Literal[\"auto\", \"edge\", \"runner\"]"],
        "backend": NotRequired["Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]"],
    },
)

RecipeList = TypedDict(
    "RecipeList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Recipe]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

Recipe = TypedDict(
    "Recipe",
    {
        "id": "str",
        "object": "Literal[\"recipe\"]",
        "name": "str",
        "version": "int",
        "description": "str",
        "steps": NotRequired["list[RecipeStep]"],
        "goal": NotRequired["Any"],
        "created_at": "int",
    },
)

NewRecipeRequest = TypedDict(
    "NewRecipeRequest",
    {
        "name": "str",
        "description": NotRequired["str"],
        "steps": NotRequired["list[RecipeStep]"],
        "goal": NotRequired["Any"],
    },
)

HookList = TypedDict(
    "HookList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Hook]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

HookFilter = TypedDict(
    "HookFilter",
    {
        "repository": NotRequired["str"],
        "tag": NotRequired["str"],
        "path": NotRequired["str"],
    },
)

HookModel = TypedDict(
    "HookModel",
    {
        "url": NotRequired["str"],
        "asset": NotRequired["str"],
        "path": NotRequired["str"],
    },
)

HookDeliver = TypedDict(
    "HookDeliver",
    {
        "to": "Literal[\"catalogue\"]",
    },
)

HookDeliver1 = TypedDict(
    "HookDeliver1",
    {
        "to": "Literal[\"signed_url\"]",
        "expires_in_s": NotRequired["int"],
    },
)

HookDeliver2 = TypedDict(
    "HookDeliver2",
    {
        "to": "Literal[\"r2\"]",
        "prefix": "str",
    },
)

HookDeliver3 = TypedDict(
    "HookDeliver3",
    {
        "to": "Literal[\"http_put\"]",
        "url": "str",
    },
)

Hook = TypedDict(
    "Hook",
    {
        "id": "str",
        "object": "Literal[\"hook\"]",
        "url": "str",
        "name": NotRequired["str"],
        "source": "Literal[\"standard\", \"github\", \"huggingface\", \"r2\"]",
        "filter": NotRequired["HookFilter"],
        "model": NotRequired["HookModel"],
        "recipe": NotRequired["str"],
        "steps": NotRequired["list[RecipeStep]"],
        "deliver": NotRequired["Union[HookDeliver, HookDeliver1, HookDeliver2, HookDeliver3]"],
        "created_at": "int",
    },
)

NewHookRequestFilter = TypedDict(
    "NewHookRequestFilter",
    {
        "repository": NotRequired["str"],
        "tag": NotRequired["str"],
        "path": NotRequired["str"],
    },
)

NewHookRequestModel = TypedDict(
    "NewHookRequestModel",
    {
        "url": NotRequired["str"],
        "asset": NotRequired["str"],
        "path": NotRequired["str"],
    },
)

NewHookRequestDeliver = TypedDict(
    "NewHookRequestDeliver",
    {
        "to": "Literal[\"catalogue\"]",
    },
)

NewHookRequestDeliver1 = TypedDict(
    "NewHookRequestDeliver1",
    {
        "to": "Literal[\"signed_url\"]",
        "expires_in_s": NotRequired["int"],
    },
)

NewHookRequestDeliver2 = TypedDict(
    "NewHookRequestDeliver2",
    {
        "to": "Literal[\"r2\"]",
        "prefix": "str",
    },
)

NewHookRequestDeliver3 = TypedDict(
    "NewHookRequestDeliver3",
    {
        "to": "Literal[\"http_put\"]",
        "url": "str",
    },
)

NewHookRequest = TypedDict(
    "NewHookRequest",
    {
        "name": NotRequired["str"],
        "source": "Literal[\"standard\", \"github\", \"huggingface\", \"r2\"]",
        "filter": NotRequired["NewHookRequestFilter"],
        "model": NotRequired["NewHookRequestModel"],
        "recipe": NotRequired["str"],
        "steps": NotRequired["list[RecipeStep]"],
        "deliver": NotRequired["Union[NewHookRequestDeliver, NewHookRequestDeliver1, NewHookRequestDeliver2, NewHookRequestDeliver3]"],
        "secret": NotRequired["str"],
    },
)

HookReceipt = TypedDict(
    "HookReceipt",
    {
        "object": "Literal[\"hook_receipt\"]",
        "decision": "Literal[\"accepted\", \"ignored\"]",
        "duplicate": "bool",
        "deliveries": "list[str]",
        "reason": "Union[str, None]",
    },
)

TestHookRequest = TypedDict(
    "TestHookRequest",
    {
        "event": NotRequired["str"],
        "payload": "dict[str, Any]",
        "dry_run": NotRequired["bool"],
    },
)

HookDeliveryList = TypedDict(
    "HookDeliveryList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[HookDelivery]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

HookDelivery = TypedDict(
    "HookDelivery",
    {
        "id": "str",
        "object": "Literal[\"hook_delivery\"]",
        "source_id": "Union[str, None]",
        "event": "str",
        "payload_sha256": "str",
        "payload_bytes": "int",
        "decision": "Literal[\"accepted\", \"ignored\"]",
        "state": "Literal[\"ignored\", \"queued\", \"working\", \"done\", \"failed\"]",
        "reason": "Union[str, None]",
        "model_url": "Union[str, None]",
        "model_id": "Union[str, None]",
        "job_id": "Union[str, None]",
        "attempts": "int",
        "result": "HookResult",
        "created_at": "int",
    },
)

HookResultAttemptsItem = TypedDict(
    "HookResultAttemptsItem",
    {
        "at": "int",
        "status": "Union[int, None]",
        "error": "Union[str, None]",
    },
)

HookResultFilesItem = TypedDict(
    "HookResultFilesItem",
    {
        "file": "str",
        "bytes": "int",
        "sha256": "str",
        "place": "str",
    },
)

HookResult = TypedDict(
    "HookResult",
    {
        "to": "Literal[\"signed_url\", \"r2\", \"http_put\"]",
        "state": "Literal[\"waiting\", \"working\", \"delivered\", \"failed\"]",
        "attempts": "list[HookResultAttemptsItem]",
        "next_attempt_at": "Union[int, None]",
        "files": "list[HookResultFilesItem]",
    },
)

GraphNodesItemAttributesItem = TypedDict(
    "GraphNodesItemAttributesItem",
    {
        "name": "str",
        "type": "str",
        "value": NotRequired["Any"],
    },
)

GraphNodesItem = TypedDict(
    "GraphNodesItem",
    {
        "name": "str",
        "op_type": "str",
        "domain": "str",
        "graph": "str",
        "inputs": "list[str]",
        "outputs": "list[str]",
        "attributes": "list[GraphNodesItemAttributesItem]",
    },
)

GraphInitializersItem = TypedDict(
    "GraphInitializersItem",
    {
        "name": "str",
        "graph": "str",
        "data_type": "str",
        "dims": "list[int]",
        "bytes": "int",
    },
)

Graph = TypedDict(
    "Graph",
    {
        "object": "Literal[\"graph\"]",
        "model_id": "str",
        "inputs": "list[Value]",
        "outputs": "list[Value]",
        "node_count": "int",
        "nodes": "list[GraphNodesItem]",
        "initializer_count": "int",
        "initializers": "list[GraphInitializersItem]",
        "has_more": "bool",
    },
)

UploadList = TypedDict(
    "UploadList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Upload]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

UploadFilesItem = TypedDict(
    "UploadFilesItem",
    {
        "location": "str",
        "bytes": "int",
        "parts": "list[UploadPart]",
    },
)

Upload = TypedDict(
    "Upload",
    {
        "id": "str",
        "object": "Literal[\"upload\"]",
        "name": "str",
        "state": "Literal[\"open\", \"completing\", \"completed\", \"aborted\"]",
        "files": "list[UploadFilesItem]",
        "model_id": "Union[str, None]",
        "created_at": "int",
        "expires_at": "int",
    },
)

UploadPart = TypedDict(
    "UploadPart",
    {
        "number": "int",
        "bytes": "int",
    },
)

NewUploadRequest = TypedDict(
    "NewUploadRequest",
    {
        "name": NotRequired["str"],
    },
)

DatasetList = TypedDict(
    "DatasetList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Dataset]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

Dataset = TypedDict(
    "Dataset",
    {
        "id": "str",
        "object": "Literal[\"dataset\"]",
        "name": "str",
        "format": "Literal[\"npz\", \"npy\", \"safetensors\", \"csv\", \"parquet\"]",
        "fields": "list[DatasetField]",
        "rows": "int",
        "bytes": "int",
        "sha256": "str",
        "created_at": "int",
    },
)

DatasetField = TypedDict(
    "DatasetField",
    {
        "name": "str",
        "dtype": "Literal[\"float32\", \"float64\", \"float16\", \"bfloat16\", \"uint8\", \"int8\", \"uint16\", \"int16\", \"uint32\", \"int32\", \"uint64\", \"int64\", \"bool\"]",
        "shape": "list[int]",
    },
)

DatasetForm = TypedDict(
    "DatasetForm",
    {
        "dataset": "str",
    },
)

DatasetImportRequest = TypedDict(
    "DatasetImportRequest",
    {
        "url": "str",
    },
)

DatasetRows = TypedDict(
    "DatasetRows",
    {
        "object": "Literal[\"list\"]",
        "data": "list[dict[str, Any]]",
        "start": "int",
        "rows": "int",
        "has_more": "bool",
    },
)

JobList = TypedDict(
    "JobList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Job]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

CheckpointList = TypedDict(
    "CheckpointList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Checkpoint]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

Checkpoint = TypedDict(
    "Checkpoint",
    {
        "object": "Literal[\"checkpoint\"]",
        "step": "int",
        "bytes": "int",
        "world_size": "int",
        "created_at": "int",
    },
)

TrainingCurveDataItem = TypedDict(
    "TrainingCurveDataItem",
    {
        "step": "int",
        "loss": "float",
        "accuracy": "Union[float, None]",
        "learning_rate": "float",
    },
)

TrainingCurve = TypedDict(
    "TrainingCurve",
    {
        "object": "Literal[\"list\"]",
        "data": "list[TrainingCurveDataItem]",
    },
)

TrainingRequestInputsValue1 = TypedDict(
    "TrainingRequestInputsValue1",
    {
        "field": "str",
        "scale": NotRequired["float"],
    },
)

TrainingRequestValidation = TypedDict(
    "TrainingRequestValidation",
    {
        "fraction": "float",
    },
)

TrainingRequestValidation1 = TypedDict(
    "TrainingRequestValidation1",
    {
        "dataset": "str",
    },
)

TrainingRequestLoss2 = TypedDict(
    "TrainingRequestLoss2",
    {
        "type": "Union[Literal[\"cross_entropy\", \"binary_cross_entropy\", \"mse\", \"l1\", \"huber\", \"kl_divergence\"], str]",
        "output": NotRequired["str"],
        "from_logits": NotRequired["bool"],
        "label_smoothing": NotRequired["float"],
        "ignore_index": NotRequired["int"],
        "class_axis": NotRequired["int"],
        "delta": NotRequired["float"],
    },
)

TrainingRequestOptimizer1 = TypedDict(
    "TrainingRequestOptimizer1",
    {
        "type": "Literal[\"sgd\", \"adam\", \"adamw\", \"lion\"]",
        "lr": NotRequired["float"],
        "weight_decay": NotRequired["float"],
        "no_decay": NotRequired["list[str]"],
        "momentum": NotRequired["float"],
        "dampening": NotRequired["float"],
        "nesterov": NotRequired["bool"],
        "betas": NotRequired["list[Any]"],
        "eps": NotRequired["float"],
    },
)

TrainingRequestSchedule1 = TypedDict(
    "TrainingRequestSchedule1",
    {
        "type": "Literal[\"constant\", \"step\", \"cosine\", \"linear\"]",
        "warmup_steps": NotRequired["int"],
        "step_size": NotRequired["int"],
        "gamma": NotRequired["float"],
        "min_lr": NotRequired["float"],
    },
)

TrainingRequestLora1 = TypedDict(
    "TrainingRequestLora1",
    {
        "rank": NotRequired["int"],
        "alpha": NotRequired["float"],
        "target": NotRequired["list[str]"],
    },
)

TrainingRequestQat1 = TypedDict(
    "TrainingRequestQat1",
    {
        "activations": NotRequired["Literal[\"uint8\", \"int8\", \"none\"]"],
        "per_channel": NotRequired["bool"],
        "averaging": NotRequired["float"],
        "op_types": NotRequired["list[Literal[\"Conv\", \"ConvTranspose\", \"Gemm\", \"MatMul\"]]"],
        "nodes_to_exclude": NotRequired["list[str]"],
    },
)

TrainingRequestTeacher = TypedDict(
    "TrainingRequestTeacher",
    {
        "model": NotRequired["str"],
        "field": NotRequired["str"],
        "temperature": NotRequired["float"],
        "from_logits": NotRequired["bool"],
        "alpha": NotRequired["float"],
    },
)

TrainingRequestAllreduce = TypedDict(
    "TrainingRequestAllreduce",
    {
        "algorithm": NotRequired["Literal[\"direct\", \"ring\"]"],
        "compression": NotRequired["Literal[\"none\", \"float16\", \"bfloat16\", \"int8\", \"top_k\"]"],
    },
)

TrainingRequestRunners = TypedDict(
    "TrainingRequestRunners",
    {
        "compression": NotRequired["Literal[\"none\", \"float16\", \"bfloat16\"]"],
    },
)

TrainingRequestResumeFrom = TypedDict(
    "TrainingRequestResumeFrom",
    {
        "job": "str",
        "step": "int",
    },
)

TrainingRequest = TypedDict(
    "TrainingRequest",
    {
        "model": NotRequired["str"],
        "dataset": NotRequired["str"],
        "name": NotRequired["str"],
        "inputs": NotRequired["dict[str, Union[str, TrainingRequestInputsValue1]]"],
        "label": NotRequired["str"],
        "validation": NotRequired["Union[TrainingRequestValidation, TrainingRequestValidation1]"],
        "metrics": NotRequired["list[Literal[\"loss\", \"accuracy\"]]"],
        "shuffle": NotRequired["bool"],
        "loss": NotRequired["Union[Literal[\"cross_entropy\", \"binary_cross_entropy\", \"mse\", \"l1\", \"huber\", \"kl_divergence\"], str, TrainingRequestLoss2]"],
        "optimizer": NotRequired["Union[Literal[\"sgd\", \"adam\", \"adamw\", \"lion\"], TrainingRequestOptimizer1]"],
        "lr": NotRequired["float"],
        "schedule": NotRequired["Union[Literal[\"constant\", \"step\", \"cosine\", \"linear\"], TrainingRequestSchedule1]"],
        "clip_norm": NotRequired["float"],
        "accumulation_steps": NotRequired["int"],
        "batch_size": NotRequired["int"],
        "epochs": NotRequired["int"],
        "steps": NotRequired["int"],
        "seed": NotRequired["int"],
        "trainable": NotRequired["list[str]"],
        "frozen": NotRequired["list[str]"],
        "lora": NotRequired["Union[bool, TrainingRequestLora1]"],
        "keep_sparsity": NotRequired["bool"],
        "qat": NotRequired["Union[bool, TrainingRequestQat1]"],
        "teacher": NotRequired["TrainingRequestTeacher"],
        "batch_normalization": NotRequired["Literal[\"train\", \"frozen\"]"],
        "dropout": NotRequired["bool"],
        "mode": NotRequired["Literal[\"sync\", \"async\", \"local_sgd\"]"],
        "world_size": NotRequired["int"],
        "allreduce": NotRequired["TrainingRequestAllreduce"],
        "max_staleness": NotRequired["int"],
        "local_steps": NotRequired["int"],
        "outer_lr": NotRequired["float"],
        "outer_momentum": NotRequired["float"],
        "executor": NotRequired["Literal[\"edge\", \"runner\", \"auto\"]"],
        "runners": NotRequired["TrainingRequestRunners"],
        "checkpoint_every": NotRequired["int"],
        "resume_from": NotRequired["TrainingRequestResumeFrom"],
    },
)

RunnerList = TypedDict(
    "RunnerList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Runner]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

Runner = TypedDict(
    "Runner",
    {
        "id": "str",
        "object": "Literal[\"runner\"]",
        "state": "Literal[\"idle\", \"working\", \"draining\", \"starting\", \"gone\"]",
        "info": "RunnerInfo",
        "task_id": "Union[str, None]",
        "tasks_done": "int",
        "tasks_failed": "int",
        "strikes": "int",
        "busy_s": "float",
        "connected_at": "int",
        "last_seen_at": "int",
    },
)

RunnerInfoAdapter = TypedDict(
    "RunnerInfoAdapter",
    {
        "vendor": "str",
        "architecture": "str",
        "description": "str",
        "features": "list[str]",
        "max_buffer_bytes": "int",
    },
)

RunnerInfo = TypedDict(
    "RunnerInfo",
    {
        "name": "str",
        "platform": "str",
        "runtime": "str",
        "backends": "list[Literal[\"cuda\", \"webgpu\", \"cpu\", \"wasm\"]]",
        "kinds": "list[Literal[\"gradient\", \"evaluate\", \"calibrate\", \"verify\", \"benchmark\"]]",
        "adapter": "Union[RunnerInfoAdapter, None]",
        "max_model_bytes": "int",
    },
)

RunnerLogDataItem = TypedDict(
    "RunnerLogDataItem",
    {
        "at": "float",
        "runner": "Union[str, None]",
        "task": "Union[str, None]",
        "what": "str",
    },
)

RunnerLog = TypedDict(
    "RunnerLog",
    {
        "object": "Literal[\"list\"]",
        "data": "list[RunnerLogDataItem]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

RunnerToken = TypedDict(
    "RunnerToken",
    {
        "id": "str",
        "object": "Literal[\"runner_token\"]",
        "name": "str",
        "created_at": "int",
        "expires_at": "int",
        "revoked_at": "Union[int, None]",
    },
)

NewRunnerTokenRequest = TypedDict(
    "NewRunnerTokenRequest",
    {
        "name": NotRequired["str"],
        "ttl_s": NotRequired["int"],
    },
)

RunnerTokenList = TypedDict(
    "RunnerTokenList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[RunnerToken]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

WebhookEndpoint = TypedDict(
    "WebhookEndpoint",
    {
        "id": "str",
        "object": "Literal[\"webhook_endpoint\"]",
        "url": "str",
        "events": "list[Literal[\"job.queued\", \"job.running\", \"job.progress\", \"job.succeeded\", \"job.failed\", \"job.canceled\", \"model.created\", \"model.deleted\", \"runner.lost\", \"*\"]]",
        "description": "str",
        "disabled_reason": "Union[str, None]",
        "created_at": "int",
    },
)

NewWebhookEndpointRequest = TypedDict(
    "NewWebhookEndpointRequest",
    {
        "url": "str",
        "events": NotRequired["list[Literal[\"job.queued\", \"job.running\", \"job.progress\", \"job.succeeded\", \"job.failed\", \"job.canceled\", \"model.created\", \"model.deleted\", \"runner.lost\", \"*\"]]"],
        "description": NotRequired["str"],
    },
)

WebhookEndpointList = TypedDict(
    "WebhookEndpointList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[WebhookEndpoint]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

TestEvent = TypedDict(
    "TestEvent",
    {
        "event_id": "str",
    },
)

WebhookDeliveryList = TypedDict(
    "WebhookDeliveryList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[WebhookDelivery]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

WebhookDelivery = TypedDict(
    "WebhookDelivery",
    {
        "id": "str",
        "object": "Literal[\"webhook_delivery\"]",
        "event_id": "str",
        "type": "str",
        "sequence": "int",
        "state": "Literal[\"pending\", \"delivered\", \"failed\"]",
        "attempts": "int",
        "status": "Union[int, None]",
        "error": "Union[str, None]",
        "next_attempt_at": "Union[int, None]",
        "created_at": "int",
        "payload": "dict[str, Any]",
    },
)

ReportVerificationOutputsItem = TypedDict(
    "ReportVerificationOutputsItem",
    {
        "name": "str",
        "data_type": "str",
        "dims": "list[float]",
        "cosine": "Union[float, None]",
        "sqnr_db": "Union[float, None]",
        "max_abs_error": "Union[float, None]",
        "argmax_agreement": "Union[float, None]",
        "equal": "Union[float, None]",
    },
)

ReportVerification = TypedDict(
    "ReportVerification",
    {
        "loaded": "bool",
        "ran": "bool",
        "reason": "Union[str, None]",
        "runtime": "Union[str, None]",
        "inputs": "Union[str, None]",
        "min_cosine": "Union[float, None]",
        "min_sqnr_db": "Union[float, None]",
        "outputs": "list[ReportVerificationOutputsItem]",
    },
)

ReportTriedItem = TypedDict(
    "ReportTriedItem",
    {
        "method": "str",
        "bytes": "Union[float, None]",
        "min_sqnr_db": "Union[float, None]",
        "min_cosine": "Union[float, None]",
        "outcome": "Literal[\"chosen\", \"refused\", \"failed\"]",
        "reason": "Union[str, None]",
    },
)

ReportChangedItem = TypedDict(
    "ReportChangedItem",
    {
        "name": "str",
        "node": "str",
        "method": "str",
        "dims": "list[float]",
        "from": "str",
        "to": "str",
        "bytes_before": "float",
        "bytes_after": "float",
        "sqnr_db": "Union[float, None]",
    },
)

ReportKeptItem = TypedDict(
    "ReportKeptItem",
    {
        "name": "str",
        "reason": "str",
    },
)

ReportActivationsItem = TypedDict(
    "ReportActivationsItem",
    {
        "name": "str",
        "type": "Literal[\"int8\", \"uint8\"]",
        "low": "float",
        "high": "float",
        "scale": "float",
        "zero_point": "int",
        "shared_with": "Union[str, None]",
    },
)

ReportSimplificationOpTypesItem = TypedDict(
    "ReportSimplificationOpTypesItem",
    {
        "op_type": "str",
        "before": "int",
        "after": "int",
    },
)

ReportSimplificationPassesItem = TypedDict(
    "ReportSimplificationPassesItem",
    {
        "name": "str",
        "changes": "int",
    },
)

ReportSimplification = TypedDict(
    "ReportSimplification",
    {
        "nodes_before": "int",
        "nodes_after": "int",
        "op_types": "list[ReportSimplificationOpTypesItem]",
        "passes": "list[ReportSimplificationPassesItem]",
        "rounds": "int",
    },
)

Report = TypedDict(
    "Report",
    {
        "object": "Literal[\"report\"]",
        "operation": "Literal[\"quantize\", \"prune\", \"simplify\"]",
        "method": "str",
        "options": "dict[str, Any]",
        "bytes_before": "int",
        "bytes_after": "int",
        "ratio": "float",
        "verification": "ReportVerification",
        "tried": "list[ReportTriedItem]",
        "changed": "list[ReportChangedItem]",
        "kept": "list[ReportKeptItem]",
        "activations": "list[ReportActivationsItem]",
        "notes": "list[str]",
        "simplification": "Union[ReportSimplification, None]",
    },
)

Key = TypedDict(
    "Key",
    {
        "id": "str",
        "object": "Literal[\"key\"]",
        "name": "str",
        "hint": "str",
        "scopes": "list[Literal[\"read\", \"write\", \"admin\"]]",
        "created_at": "int",
        "expires_at": "Union[int, None]",
        "last_used_at": "Union[int, None]",
    },
)

NewKeyRequest = TypedDict(
    "NewKeyRequest",
    {
        "name": "str",
        "scopes": NotRequired["list[Literal[\"read\", \"write\", \"admin\"]]"],
        "expires_in_s": NotRequired["int"],
    },
)

KeyList = TypedDict(
    "KeyList",
    {
        "object": "Literal[\"list\"]",
        "data": "list[Key]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

RotateKeyRequest = TypedDict(
    "RotateKeyRequest",
    {
        "grace_s": NotRequired["int"],
    },
)

Workspace = TypedDict(
    "Workspace",
    {
        "id": "str",
        "object": "Literal[\"workspace\"]",
        "name": "str",
        "stored_bytes": "int",
        "max_stored_bytes": "Union[int, None]",
        "created_at": "int",
    },
)

DeleteWorkspaceRequest = TypedDict(
    "DeleteWorkspaceRequest",
    {
        "confirm": "str",
    },
)

UsageDataItem = TypedDict(
    "UsageDataItem",
    {
        "day": "str",
        "requests": "int",
        "bytes_in": "int",
        "bytes_out": "int",
        "jobs": "int",
        "job_seconds": "int",
    },
)

Usage = TypedDict(
    "Usage",
    {
        "object": "Literal[\"usage\"]",
        "data": "list[UsageDataItem]",
    },
)

AuditLog = TypedDict(
    "AuditLog",
    {
        "object": "Literal[\"list\"]",
        "data": "list[AuditEntry]",
        "has_more": "bool",
        "next_cursor": "Union[str, None]",
    },
)

AuditEntry = TypedDict(
    "AuditEntry",
    {
        "id": "str",
        "object": "Literal[\"audit_entry\"]",
        "key_id": "str",
        "action": "str",
        "resource": "str",
        "outcome": "Literal[\"done\", \"refused\", \"failed\"]",
        "status": "int",
        "request_id": "str",
        "created_at": "int",
    },
)

Health = TypedDict(
    "Health",
    {
        "status": "Literal[\"ok\", \"unavailable\"]",
    },
)

Readiness = TypedDict(
    "Readiness",
    {
        "status": "Literal[\"ok\", \"unavailable\"]",
        "catalogue": "Literal[\"ok\", \"unavailable\"]",
        "blobs": "Literal[\"ok\", \"unavailable\"]",
    },
)

Job = Union[CompressionJob, TrainingJob, MeasurementJob, OptimizeJob]
RecipeStep = Union[SimplifyStep, QuantizeStep, PruneStep, TrainStep, VerifyStep, BenchmarkStep, EvaluateStep]
NewHook = Any
HookDeliveryWithPayload = Any
NewRunnerToken = Any
NewWebhookEndpoint = Any
NewKey = Any

__all__ = [
    "AuditEntry",
    "AuditLog",
    "BenchmarkRequest",
    "BenchmarkStep",
    "CalibrateRequest",
    "Checkpoint",
    "CheckpointList",
    "CompressForm",
    "CompressionJob",
    "Dataset",
    "DatasetField",
    "DatasetForm",
    "DatasetImportRequest",
    "DatasetList",
    "DatasetRows",
    "DeleteWorkspaceRequest",
    "EpochMetrics",
    "EvaluateRequest",
    "EvaluateStep",
    "Graph",
    "Health",
    "Hook",
    "HookDelivery",
    "HookDeliveryList",
    "HookDeliveryWithPayload",
    "HookList",
    "HookReceipt",
    "HookResult",
    "ImportRequest",
    "Job",
    "JobCanceledEvent",
    "JobFailedEvent",
    "JobList",
    "JobProgressEvent",
    "JobQueuedEvent",
    "JobRunningEvent",
    "JobSucceededEvent",
    "Key",
    "KeyList",
    "MeasurementJob",
    "Model",
    "ModelCreatedEvent",
    "ModelDeletedEvent",
    "ModelForm",
    "ModelList",
    "NewHook",
    "NewHookRequest",
    "NewKey",
    "NewKeyRequest",
    "NewRecipeRequest",
    "NewRunnerToken",
    "NewRunnerTokenRequest",
    "NewUploadRequest",
    "NewWebhookEndpoint",
    "NewWebhookEndpointRequest",
    "OptimizationPlan",
    "OptimizeJob",
    "OptimizeRequest",
    "Problem",
    "PruneOptions",
    "PruneStep",
    "QuantizeOptions",
    "QuantizeStep",
    "RankFigures",
    "Readiness",
    "Recipe",
    "RecipeList",
    "RecipeStep",
    "RecipeStepResult",
    "Report",
    "ReportSummary",
    "RotateKeyRequest",
    "Runner",
    "RunnerInfo",
    "RunnerList",
    "RunnerLog",
    "RunnerLostEvent",
    "RunnerToken",
    "RunnerTokenList",
    "SearchGoal",
    "SearchPlan",
    "SearchReport",
    "SearchTrial",
    "SimplifyOptions",
    "SimplifyStep",
    "TestEvent",
    "TestHookRequest",
    "TrainStep",
    "TrainingCurve",
    "TrainingJob",
    "TrainingRequest",
    "Upload",
    "UploadList",
    "UploadPart",
    "Usage",
    "Value",
    "VerifyRequest",
    "VerifyStep",
    "WebhookDelivery",
    "WebhookDeliveryList",
    "WebhookEndpoint",
    "WebhookEndpointList",
    "WebhookModel",
    "WebhookRunner",
    "Workspace",
]
