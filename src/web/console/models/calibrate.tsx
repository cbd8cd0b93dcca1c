/** @file The ranges of a model's values, found on a dataset's rows: the first half of static quantization. */
import type {
  CalibrateRequest,
  MeasurementJob,
  Model,
} from "../../../../sdk/typescript/src/index.ts";
import { RequestForm } from "../parts/request-form.tsx";
import { optionText } from "../parts/option-field.tsx";
import type { Schema } from "../parts/schema.ts";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";

/** Options that a quantization calls otherwise. */
const OF_QUANTIZATION: Record<string, string> = {
  dataset: "calibration_dataset",
  inputs: "calibration_inputs",
  limit: "calibration_rows",
};
/** Those that it does not have. */
const OF_CALIBRATION = ["backend"];

export function Calibrate({
  model,
  schemas,
}: {
  model: Model;
  schemas: Readonly<Record<string, Schema>>;
}) {
  const hone = useHone();
  return (
    <section>
      <h2>Calibrate</h2>
      <p>
        Which values occur inside it, on the rows of a dataset: what static quantization makes its
        scales of.
      </p>
      <RequestForm
        schemas={schemas}
        first={["dataset", "calibrate_method", "limit"]}
        send="Calibrate"
        onSend={async (values) => {
          const { id } = await hone.models.calibrate(model.id, values as CalibrateRequest);
          go(["jobs", id]);
        }}
      />
    </section>
  );
}

/** From a calibration's ranges to the form of the quantization that has the same. */
export function QuantizeByIt({
  job: { model_id, options },
}: {
  job: Pick<MeasurementJob, "model_id" | "options">;
}) {
  const given = Object.entries(options)
    .filter(([name]) => !OF_CALIBRATION.includes(name))
    .map(([name, value]) => [OF_QUANTIZATION[name] ?? name, optionText(value)] as const);
  const query = { method: "static", ...Object.fromEntries(given) };
  return (
    <p>
      <a class="button primary" href={to(["compress", model_id], query)}>
        Quantize statically, by these ranges
      </a>
    </p>
  );
}
