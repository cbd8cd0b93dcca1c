/** @file /v1/models/{id}/graph: a model's structure, its weights as sizes. */
import { createRoute, z } from "@hono/zod-openapi";
import { Scope } from "../graph/scope.ts";
import { viewAttribute } from "../jobs/attribute-view.ts";
import { describeValue, inspectModel } from "../jobs/inspect-model.ts";
import { dataTypeName } from "../onnx/data-type.ts";
import { ApiError } from "../problem/api-error.ts";
import { openModel } from "../store/models.ts";
import { createRouter } from "./context.ts";
import { Value } from "./model-schema.ts";
import { idParam, problems } from "./schemas.ts";

const GraphQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1000)
    .openapi({ description: "Most nodes, and most initializers, of one page.", example: 1000 }),
  offset: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .openapi({ description: "The first of them.", example: 0 }),
});

const Graph = z
  .object({
    object: z.literal("graph"),
    model_id: z.string(),
    inputs: z.array(Value),
    outputs: z.array(Value),
    node_count: z
      .number()
      .int()
      .openapi({ description: "Of this graph and the graphs within it." }),
    nodes: z.array(
      z.object({
        name: z.string(),
        op_type: z.string().openapi({ example: "MatMul" }),
        domain: z.string(),
        graph: z.string().openapi({
          description: "The graph that holds it; the model's own has the empty path.",
          example: "",
        }),
        inputs: z.array(z.string()),
        outputs: z.array(z.string()),
        attributes: z.array(
          z.object({
            name: z.string(),
            type: z.string().openapi({ example: "ints" }),
            value: z.unknown().openapi({
              description:
                "Tensors as data_type, dims and bytes, graphs as name and nodes; long lists and texts cut after 100.",
            }),
          }),
        ),
      }),
    ),
    initializer_count: z.number().int(),
    initializers: z.array(
      z.object({
        name: z.string(),
        graph: z.string(),
        data_type: z.string().openapi({ example: "float32" }),
        dims: z.array(z.number().int()),
        bytes: z.number().int(),
      }),
    ),
    has_more: z.boolean(),
  })
  .openapi("Graph");

const read = createRoute({
  method: "get",
  path: "/v1/models/{id}/graph",
  operationId: "getModelGraph",
  tags: ["Models"],
  summary: "Get a model's graph",
  description: "Nodes in order and initializers with their sizes, by pages of both.",
  request: { params: idParam("model", "model_4k2v9x"), query: GraphQuery },
  responses: {
    200: { description: "The graph.", content: { "application/json": { schema: Graph } } },
    ...problems(400, 404, 503),
  },
});

export const modelGraph = createRouter().openapi(read, async (c) => {
  const { id } = c.req.valid("param");
  const { limit, offset } = c.req.valid("query");
  const input = await openModel(c.env, c.get("workspace"), id);
  if (!input) throw new ApiError("not_found", `there is no model ${id}`);
  const { model, description } = await inspectModel(input);
  const scopes = [...Scope.of(model.graph).walk()].map((scope) => ({ scope, path: pathOf(scope) }));
  const nodes = scopes.flatMap(({ scope, path }) =>
    scope.graph.nodes.map((node) => ({ node, path })),
  );
  const tensors = scopes.flatMap(({ scope, path }) =>
    [...scope.graph.initializers.values()].map((tensor) => ({ tensor, path })),
  );
  const end = offset + limit;
  return c.json(
    {
      object: "graph" as const,
      model_id: id,
      inputs: description.inputs,
      outputs: model.graph.outputs.map(describeValue),
      node_count: nodes.length,
      nodes: nodes.slice(offset, end).map(({ node, path }) => ({
        name: node.name,
        op_type: node.opType,
        domain: node.domain,
        graph: path,
        inputs: node.inputs,
        outputs: node.outputs,
        attributes: node.attributes.map(viewAttribute),
      })),
      initializer_count: tensors.length,
      initializers: tensors.slice(offset, end).map(({ tensor, path }) => ({
        name: tensor.name,
        graph: path,
        data_type: dataTypeName(tensor.dataType),
        dims: tensor.dims,
        bytes: tensor.data.byteLength,
      })),
      has_more: end < Math.max(nodes.length, tensors.length),
    },
    200,
  );
});

/** `if_1/then_branch`: the owning nodes and graphs, from the outside in. */
function pathOf(scope: Scope): string {
  if (!scope.parent) return "";
  const owner = scope.owner?.name || scope.owner?.opType || "";
  return [pathOf(scope.parent), `${owner}/${scope.graph.name}`].filter(Boolean).join("/");
}
