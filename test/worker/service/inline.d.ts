/** A file as a data: URL, which Vite makes of it. */
declare module "*?url&inline" {
  const dataUrl: string;
  export default dataUrl;
}
