/** @file A float value of the model that also exists as codes with scale and zero point. */
import type { DataType } from "../../onnx/data-type.ts";
import type { AffineType } from "../affine.ts";

export interface QuantizedValue {
  codes: string;
  scale: string;
  zeroPoint: string;
  type: AffineType;
  /** The codes' axis that scale and zero point run along, counted from the last (-1); absent: one for all. */
  axis?: number;
  /** Element type of the float value, and of the scale. */
  floatType: DataType;
  /** The float value is there under its own name; else a DequantizeLinear has to make it for who reads it. */
  hasFloat: boolean;
  /** The float value is stored in the model, so its codes are there before any node runs. */
  constant: boolean;
}
