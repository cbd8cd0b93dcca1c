/** @file What the build makes of an imported WebAssembly file: its address. */
declare module "*.wasm" {
  const address: string;
  export default address;
}
