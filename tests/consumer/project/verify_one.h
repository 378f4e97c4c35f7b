#pragma once

// VerifiesOneToken has an engine allow a genuine ES256 token and deny its forgery; prints what went
// otherwise.
bool VerifiesOneToken();
