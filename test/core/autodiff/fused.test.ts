/** @file Attention and fused operators, by their parts, against torch's gradients. */
import { holdGoldens } from "./hold-goldens.ts";

holdGoldens("fused.json");
