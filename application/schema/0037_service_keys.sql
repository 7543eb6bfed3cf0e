-- Which keys this installation has used, so that it does not start without one of them: links that
-- a lost key signed would be dead, and nobody would know why. Fingerprints give nothing away.
CREATE TABLE public.service_keys (
    kind text NOT NULL CHECK (kind IN ('secret', 'audit')),
    fingerprint text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, fingerprint)
);
