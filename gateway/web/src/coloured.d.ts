/** Source text, and its HTML from `highlight`, made by the build (`vite/coloured.ts`). */
interface ColouredSource {
  code: string;
  html: string;
}

declare module "*?coloured" {
  const source: ColouredSource;
  export default source;
}
