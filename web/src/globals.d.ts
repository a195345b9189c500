/** package.json's version, put in by Vite. */
declare const __RECADO_VERSION__: string;
