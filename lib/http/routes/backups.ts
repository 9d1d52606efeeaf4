import { BackupInput, BackupList, BackupRun } from '../../schemas/backup.ts';
import type { Route } from './route.ts';

/** What is kept aside. */
export const BACKUPS_ROUTES = [
  {
    method: 'GET',
    path: '/backups',
    operation: 'listBackups',
    summary: 'Backups and restore drills, newest first, and when the last good ones ended',
    function: 'backups',
    action: 'manageBackups',
    answers: { 200: BackupList },
  },
  {
    method: 'POST',
    path: '/backups',
    operation: 'requestBackup',
    summary: 'Ask for a backup, or for a restore drill of the newest; it begins within a minute',
    function: 'backups',
    action: 'manageBackups',
    body: BackupInput,
    answers: { 202: BackupRun },
  },
] as const satisfies readonly Route[];
