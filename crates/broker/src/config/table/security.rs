//! Kafka's properties for TLS and SASL: no listener speaks either so far, and one that should is refused at the start.

use crate::config::kind::Kind;
use crate::config::property::{Property, Subject};

/// One subject for each reason.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { title: "SASL", properties: SASL },
    Subject { title: "Delegation tokens", properties: TOKENS },
    Subject { title: "TLS", properties: TLS },
];

const SASL_WHY: &str = "SASL is not served yet";

const SASL: &[Property] = &[
    later("connection.failed.authentication.delay.ms", Kind::int(0), Some("100"), SASL_WHY),
    later("connections.max.reauth.ms", Kind::LONG, Some("0"), SASL_WHY),
    later("sasl.client.callback.handler.class", Kind::Class, None, SASL_WHY),
    later("sasl.enabled.mechanisms", Kind::List, Some("GSSAPI"), SASL_WHY).while_running(),
    later("sasl.jaas.config", Kind::Password, None, SASL_WHY),
    later("sasl.kerberos.kinit.cmd", Kind::Text, Some("/usr/bin/kinit"), SASL_WHY).while_running(),
    later("sasl.kerberos.min.time.before.relogin", Kind::LONG, Some("60000"), SASL_WHY).while_running(),
    later("sasl.kerberos.principal.to.local.rules", Kind::List, Some("DEFAULT"), SASL_WHY).while_running(),
    later("sasl.kerberos.service.name", Kind::Text, None, SASL_WHY).while_running(),
    later("sasl.kerberos.ticket.renew.jitter", Kind::DOUBLE, Some("0.05"), SASL_WHY).while_running(),
    later("sasl.kerberos.ticket.renew.window.factor", Kind::DOUBLE, Some("0.8"), SASL_WHY).while_running(),
    later("sasl.login.callback.handler.class", Kind::Class, None, SASL_WHY),
    later("sasl.login.class", Kind::Class, None, SASL_WHY),
    later("sasl.login.connect.timeout.ms", Kind::INT, None, SASL_WHY),
    later("sasl.login.read.timeout.ms", Kind::INT, None, SASL_WHY),
    later("sasl.login.refresh.buffer.seconds", Kind::SHORT, Some("300"), SASL_WHY).while_running(),
    later("sasl.login.refresh.min.period.seconds", Kind::SHORT, Some("60"), SASL_WHY).while_running(),
    later("sasl.login.refresh.window.factor", Kind::DOUBLE, Some("0.8"), SASL_WHY).while_running(),
    later("sasl.login.refresh.window.jitter", Kind::DOUBLE, Some("0.05"), SASL_WHY).while_running(),
    later("sasl.login.retry.backoff.max.ms", Kind::LONG, Some("10000"), SASL_WHY),
    later("sasl.login.retry.backoff.ms", Kind::LONG, Some("100"), SASL_WHY),
    later("sasl.mechanism.controller.protocol", Kind::Text, Some("GSSAPI"), SASL_WHY),
    later("sasl.mechanism.inter.broker.protocol", Kind::Text, Some("GSSAPI"), SASL_WHY).while_running(),
    later("sasl.oauthbearer.assertion.algorithm", Kind::ChoiceAnyCase(&["ES256", "RS256"]), Some("RS256"), SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.aud", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.exp.seconds", Kind::Int { min: 0, max: 86400 }, Some("300"), SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.iss", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.jti.include", Kind::Boolean, Some("false"), SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.nbf.seconds", Kind::Int { min: 0, max: 3600 }, Some("60"), SASL_WHY),
    later("sasl.oauthbearer.assertion.claim.sub", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.file", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.private.key.file", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.private.key.passphrase", Kind::Password, None, SASL_WHY),
    later("sasl.oauthbearer.assertion.template.file", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.client.credentials.client.id", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.client.credentials.client.secret", Kind::Password, None, SASL_WHY),
    later("sasl.oauthbearer.clock.skew.seconds", Kind::INT, Some("30"), SASL_WHY),
    later("sasl.oauthbearer.expected.audience", Kind::List, Some(""), SASL_WHY),
    later("sasl.oauthbearer.expected.issuer", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.jwks.endpoint.refresh.ms", Kind::LONG, Some("3600000"), SASL_WHY),
    later("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Kind::LONG, Some("10000"), SASL_WHY),
    later("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Kind::LONG, Some("100"), SASL_WHY),
    later("sasl.oauthbearer.jwks.endpoint.url", Kind::Text, None, SASL_WHY),
    later(
        "sasl.oauthbearer.jwt.retriever.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        SASL_WHY,
    ),
    later(
        "sasl.oauthbearer.jwt.validator.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        SASL_WHY,
    ),
    later("sasl.oauthbearer.scope", Kind::Text, None, SASL_WHY),
    later("sasl.oauthbearer.scope.claim.name", Kind::Text, Some("scope"), SASL_WHY),
    later("sasl.oauthbearer.sub.claim.name", Kind::Text, Some("sub"), SASL_WHY),
    later("sasl.oauthbearer.token.endpoint.url", Kind::Text, None, SASL_WHY),
    later("sasl.server.callback.handler.class", Kind::Class, None, SASL_WHY),
    later("sasl.server.max.receive.size", Kind::INT, Some("524288"), SASL_WHY),
];

const TOKENS_WHY: &str = "there are no delegation tokens";

const TOKENS: &[Property] = &[
    known("delegation.token.expiry.check.interval.ms", Kind::long(1), Some("3600000"), TOKENS_WHY),
    known("delegation.token.expiry.time.ms", Kind::long(1), Some("86400000"), TOKENS_WHY),
    known("delegation.token.max.lifetime.ms", Kind::long(1), Some("604800000"), TOKENS_WHY),
    known("delegation.token.secret.key", Kind::Password, None, TOKENS_WHY),
];

const TLS_WHY: &str = "TLS is not served yet";

const TLS: &[Property] = &[
    later("ssl.allow.dn.changes", Kind::Boolean, Some("false"), TLS_WHY),
    later("ssl.allow.san.changes", Kind::Boolean, Some("false"), TLS_WHY),
    later("ssl.cipher.suites", Kind::List, Some(""), TLS_WHY).while_running(),
    later("ssl.client.auth", Kind::Choice(&["required", "requested", "none"]), Some("none"), TLS_WHY).while_running(),
    later("ssl.enabled.protocols", Kind::List, Some("TLSv1.2,TLSv1.3"), TLS_WHY).while_running(),
    later("ssl.endpoint.identification.algorithm", Kind::Text, Some("https"), TLS_WHY).while_running(),
    later("ssl.engine.factory.class", Kind::Class, None, TLS_WHY).while_running(),
    later("ssl.key.password", Kind::Password, None, TLS_WHY),
    later("ssl.keymanager.algorithm", Kind::Text, Some("SunX509"), TLS_WHY).while_running(),
    later("ssl.keystore.certificate.chain", Kind::Password, None, TLS_WHY),
    later("ssl.keystore.key", Kind::Password, None, TLS_WHY),
    later("ssl.keystore.location", Kind::Text, None, TLS_WHY).while_running(),
    later("ssl.keystore.password", Kind::Password, None, TLS_WHY),
    later("ssl.keystore.type", Kind::Text, Some("JKS"), TLS_WHY).while_running(),
    later("ssl.principal.mapping.rules", Kind::Text, Some("DEFAULT"), TLS_WHY),
    later("ssl.protocol", Kind::Text, Some("TLSv1.3"), TLS_WHY).while_running(),
    later("ssl.provider", Kind::Text, None, TLS_WHY).while_running(),
    later("ssl.secure.random.implementation", Kind::Text, None, TLS_WHY).while_running(),
    later("ssl.trustmanager.algorithm", Kind::Text, Some("PKIX"), TLS_WHY).while_running(),
    later("ssl.truststore.certificates", Kind::Password, None, TLS_WHY),
    later("ssl.truststore.location", Kind::Text, None, TLS_WHY).while_running(),
    later("ssl.truststore.password", Kind::Password, None, TLS_WHY),
    later("ssl.truststore.type", Kind::Text, Some("JKS"), TLS_WHY).while_running(),
];

const fn known(name: &'static str, kind: Kind, default: Option<&'static str>, why: &'static str) -> Property {
    Property::without_meaning(name, kind, default, why)
}

const fn later(name: &'static str, kind: Kind, default: Option<&'static str>, why: &'static str) -> Property {
    Property::without_meaning(name, kind, default, why).not_yet()
}
