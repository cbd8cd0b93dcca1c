/** @file Recipes: steps on a model, stored under a name in versions. */
import type { NewRecipeRequest, Recipe, RecipeList } from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

export class Recipes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Stores a recipe, or a new version of it. `hone.models.optimize` carries one out. */
  async create(recipe: NewRecipeRequest): Promise<Recipe> {
    const { data } = await this.#transport.POST("/v1/recipes", { body: recipe });
    return data as Recipe;
  }

  async get(id: string): Promise<Recipe> {
    const { data } = await this.#transport.GET("/v1/recipes/{id}", { params: { path: { id } } });
    return data as Recipe;
  }

  list(options: ListOptions = {}): AsyncGenerator<Recipe> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/recipes", { params: { query } });
      // Client types make lists of tuples.
      return data as RecipeList;
    });
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/recipes/{id}", { params: { path: { id } } });
  }
}
