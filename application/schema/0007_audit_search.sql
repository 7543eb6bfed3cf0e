-- For auditors, who search for what a person booked by e-mail address.
CREATE INDEX personal_data_email ON personal_data (lower(data->>'email'));
