/** @file Operators that stay float32 unless the caller gives a list of their own. */

/**
 * The default `op_block_list` of onnxruntime 1.30's converter: operators without a float16 kernel in some
 * execution provider, and those whose result depends on exact comparisons (TopK, NonMaxSuppression).
 * Operands that must be float32 by the operator's schema (Resize's scales, Range, quantized
 * operators) stay so without being listed, and so do operators that no schema is known of.
 */
export const DEFAULT_OP_BLOCK_LIST: readonly string[] = [
  "ArrayFeatureExtractor",
  "Binarizer",
  "CastMap",
  "CategoryMapper",
  "CumSum",
  "DictVectorizer",
  "FeatureVectorizer",
  "Imputer",
  "LabelEncoder",
  "LinearClassifier",
  "LinearRegressor",
  "Max",
  "Min",
  "NonMaxSuppression",
  "Normalizer",
  "OneHotEncoder",
  "RandomUniformLike",
  "Range",
  "RoiAlign",
  "SVMClassifier",
  "SVMRegressor",
  "Scaler",
  "TopK",
  "TreeEnsemble",
  "TreeEnsembleClassifier",
  "TreeEnsembleRegressor",
  "Upsample",
  "ZipMap",
];
