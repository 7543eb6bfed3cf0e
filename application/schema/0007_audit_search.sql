-- Auditors find what a person booked by the e-mail address that was typed.
CREATE INDEX personal_data_email ON personal_data (lower(data->>'email'));
