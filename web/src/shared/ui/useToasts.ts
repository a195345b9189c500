import { createContext, useContext } from 'react';
import { Toasts } from './toasts';

export const ToastsContext = createContext(new Toasts());

export const useToasts = (): Toasts => useContext(ToastsContext);
