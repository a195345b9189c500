// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { Message } from '@/shared/api/types';
import { Bubble } from './Bubble';
import { ANA, message, ownMessage } from './fixtures';

const show = (row: Message, repliedTo?: Message) =>
  render(
    <Bubble
      entry={{ message: row }}
      memberId={ANA.id}
      contactName="Maria"
      startsGroup
      endsGroup
      repliedTo={repliedTo}
      onRetry={() => undefined}
      onDiscard={() => undefined}
      onRepeat={() => undefined}
    />,
  );

it('a deleted message keeps its place and says only that', () => {
  const quoted = message('a', 1);
  show(
    ownMessage('a', 2, 'k', { body: '', deleted: true, editedAt: quoted.createdAt, status: 'failed' }),
    quoted,
  );
  expect(screen.getByText('Mensagem apagada')).toBeVisible();
  expect(screen.queryByText(quoted.body)).toBeNull();
  expect(screen.queryByText('editada')).toBeNull();
  expect(screen.queryByRole('button')).toBeNull();
});

it('an edited message says so', () => {
  show(message('a', 1, { editedAt: message('a', 1).createdAt }));
  expect(screen.getByText('editada')).toBeVisible();
});
