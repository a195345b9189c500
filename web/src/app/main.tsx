import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Session } from '@/features/entrar/session';
import { tabsOfThisBrowser } from '@/features/entrar/tabs';
import { restoreLocale } from '@/shared/i18n/useI18n';
import { App } from './App';
import './index.css';

const session = new Session(tabsOfThisBrowser());
await restoreLocale();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <App session={session} />
    </CSPProvider>
  </StrictMode>,
);
