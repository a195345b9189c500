/** A build fails whose first screen needs more JavaScript than its budget: what the entry imports, gzipped as a server would. */
import { gzipSync } from 'node:zlib';
import type { Plugin, Rolldown } from 'vite';

export const firstLoadBudget = (bytes: number): Plugin => ({
  name: 'first-load-budget',
  apply: 'build',
  generateBundle(_, bundle) {
    const files = [...importedBy(bundle)];
    const sizes = files.map((file) => gzipSync((bundle[file] as Rolldown.OutputChunk).code).length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const parts = files.map((file, index) => `${file} ${sizes[index]}`).join(', ');
    if (total > bytes) this.error(`first load: ${total} of ${bytes} bytes of gzipped JavaScript (${parts})`);
  },
});

/** The entry and what it imports at once, and so on; what is imported when it is needed is not of the first load. */
function importedBy(bundle: Rolldown.OutputBundle): Set<string> {
  const files = new Set<string>();
  const add = (file: string) => {
    const chunk = bundle[file];
    if (chunk?.type !== 'chunk' || files.has(file)) return;
    files.add(file);
    chunk.imports.forEach(add);
  };
  for (const [file, chunk] of Object.entries(bundle)) if (chunk.type === 'chunk' && chunk.isEntry) add(file);
  return files;
}
