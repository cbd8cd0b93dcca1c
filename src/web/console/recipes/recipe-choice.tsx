/** @file One of the workspace's recipes: the latest version under each name. */
import { Choice } from "../parts/fields.tsx";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

const MOST = 100;

export function RecipeChoice({
  value,
  onChange,
}: {
  value: string;
  onChange: (name: string) => void;
}) {
  const hone = useHone();
  const { data } = useLoad(async () => {
    const params = { query: { limit: MOST } };
    return (await hone.api.GET("/v1/recipes", { params })).data?.data;
  }, []);
  const names = [...new Set((data ?? []).map(({ name }) => name))];
  return (
    <Choice
      label="Recipe"
      value={value}
      onChange={onChange}
      required
      options={[
        ["", data && names.length === 0 ? "none is stored yet" : "choose"],
        ...names.map((name) => [name, name] as const),
      ]}
    />
  );
}
