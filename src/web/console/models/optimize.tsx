/** @file A stored recipe on a model. */
import { useState } from "preact/hooks";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { RowForm } from "../parts/row-form.tsx";
import { RecipeChoice } from "../recipes/recipe-choice.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

export function Optimize({ model: { id } }: { model: Model }) {
  const hone = useHone();
  const [recipe, setRecipe] = useState("");
  const order = useAction(async () => {
    const job = await hone.models.optimize(id, { recipe });
    go(["jobs", job.id]);
  });
  return (
    <section>
      <h2>Optimize</h2>
      <p>
        By a <a href={to(["recipes"])}>recipe</a>: each of its steps is done on what the one before
        made.
      </p>
      <RowForm send="Optimize" action={order}>
        <RecipeChoice value={recipe} onChange={setRecipe} />
      </RowForm>
    </section>
  );
}
