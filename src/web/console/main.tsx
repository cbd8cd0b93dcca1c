/** @file The console at /. */
import { render } from "preact";
import "../style.css";

function Console() {
  return (
    <main>
      <h1>Hone</h1>
    </main>
  );
}

const root = document.getElementById("root");
if (root) {
  root.replaceChildren();
  render(<Console />, root);
}
