import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccountRecovery,
  CfnUserPoolGroup,
  CfnUserPoolUser,
  CfnUserPoolUserToGroupAttachment,
  ClientAttributes,
  FeaturePlan,
  Mfa,
  StringAttribute,
  UserPool,
} from 'aws-cdk-lib/aws-cognito';
import { Construct } from 'constructs';
import { ROLES } from '../../lib/security/caller.ts';
import { ClaimsMap } from '../../lib/security/claims-map.ts';
import type { StageConfig } from '../config.ts';

/** Groups of the pool are named by role. */
const GROUP_PREFIX = 'labscape-';
const PASSWORD_CHARACTERS_MIN = 14;

/** Where the pool's ID tokens say what ours do. */
export const POOL_CLAIMS = ClaimsMap.parse({
  roles: 'cognito:groups',
  tenant: 'custom:tenant',
  labscape: 'custom:labscape',
  rolePrefix: GROUP_PREFIX,
});

/** The issuer of a stage that names none: people whom administrators invite, with a second factor. */
export class PeoplePool extends Construct {
  readonly issuer: string;
  readonly audience: string;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id);
    const scopeName = new StringAttribute({ minLen: 1, maxLen: 40, mutable: true });
    const pool = new UserPool(this, 'Pool', {
      userPoolName: `labscape-${config.stage}`,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      customAttributes: { tenant: scopeName, labscape: scopeName },
      mfa: Mfa.REQUIRED,
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: {
        minLength: PASSWORD_CHARACTERS_MIN,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(1),
      },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      featurePlan: FeaturePlan.ESSENTIALS,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const client = pool.addClient('Client', {
      authFlows: { userSrp: true },
      // No hosted pages: they would need an address to send tokens to.
      disableOAuth: true,
      generateSecret: false,
      idTokenValidity: Duration.hours(1),
      accessTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.hours(12),
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      // Whose tenant somebody is of, they may read and never write.
      writeAttributes: new ClientAttributes().withStandardAttributes({ fullname: true }),
    });
    for (const role of ROLES)
      new CfnUserPoolGroup(this, `Group-${role}`, {
        userPoolId: pool.userPoolId,
        groupName: `${GROUP_PREFIX}${role}`,
      });
    this.#firstAdmin(pool, config.firstAdmin);
    this.issuer = pool.userPoolProviderUrl;
    this.audience = client.userPoolClientId;
  }

  /** Invited once, by the deployment that makes the pool; everybody else is invited by administrators. */
  #firstAdmin(pool: UserPool, email: string | undefined): void {
    if (email === undefined) return;
    const user = new CfnUserPoolUser(this, 'FirstAdmin', {
      userPoolId: pool.userPoolId,
      username: email,
      desiredDeliveryMediums: ['EMAIL'],
      userAttributes: [
        { name: 'email', value: email },
        { name: 'email_verified', value: 'true' },
      ],
    });
    const group = this.node.findChild('Group-admin');
    const attachment = new CfnUserPoolUserToGroupAttachment(this, 'FirstAdminIsAdmin', {
      userPoolId: pool.userPoolId,
      groupName: `${GROUP_PREFIX}admin`,
      username: email,
    });
    attachment.node.addDependency(user, group);
  }
}
