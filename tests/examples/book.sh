#!/bin/sh
# Issues a link, books with it, and reads the booking. Needs curl, and python3 to read JSON.
#
# sh book.sh CALENDAR_ID, with the address of the API in API and an owner's key in KEY.
set -eu

call() {
  curl --silent --show-error --fail-with-body --header "Content-Type: application/json" "$@"
}
as_owner() { call --header "Authorization: Bearer $KEY" "$@"; }
field() {  # prints one value of the JSON that it reads: field slots -1 start
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]: value = value[int(key) if isinstance(value, list) else key]
print(value)' "$@"
}

# The owner issues a link.
link=$(as_owner "$API/calendars/$1/links" --data '{"recipient": "Ada"}')
token=$(echo "$link" | field token)
echo "link $(echo "$link" | field url)"

# The invitee needs no key: the token of the link is enough.
free=$(call "$API/booking-links/$token/slots")
start=$(echo "$free" | field slots -1 start)
echo "free $(echo "$free" | grep --only-matching '"start"' | wc -l | tr -d ' ')"

# After a lost answer, the same request with the same key gets the same booking.
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
booking=$(call "$API/booking-links/$token/redeem" --dump-header "$headers" \
  --header "Idempotency-Key: $(python3 -c 'import uuid; print(uuid.uuid4())')" \
  --data '{"start": "'"$start"'", "invitee": {"name": "Ada", "email": "ada@example.org"}}')
position=$(tr -d '\r' < "$headers" | sed -n 's/^[Xx]-[Ll]og-[Pp]osition: //p')

# The owner reads it. X-Min-Position waits until the view shows the write.
booking_id=$(echo "$booking" | field booking_id)
read=$(as_owner "$API/bookings/$booking_id" --header "X-Min-Position: $position")
echo "booking $(echo "$read" | field status) $(echo "$read" | field start)" \
  "$(echo "$read" | field invitee name)"
