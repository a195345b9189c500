export const channelName = (kind: string) => (kind === 'whatsapp' ? 'WhatsApp' : 'Webhook');
