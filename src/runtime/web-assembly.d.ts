/** @file What Node has of WebAssembly and the types of Workers leave out: workerd compiles no bytes. */

declare namespace WebAssembly {
  function compile(bytes: Uint8Array): Promise<WebAssembly.Module>;
}
