// Transcendental functions of doubles in + − × ÷ alone, so that tables of them are the same bits on
// every machine and C library. Accurate to about 1e-15 of the result, or of 1 where that is larger;
// they serve 256 values at a time and are not fast.
#pragma once

namespace pare::passes {

double ExactExp(double x);  // 0 and infinity beyond the range of double
double ExactLog(double x);  // NaN for x < 0, −infinity for 0
double ExactErf(double x);
double ExactTanh(double x);
double ExactSigmoid(double x);
double ExactPow(double x, double exponent);
double ExactSin(double x);  // accurate to about 1e-16 · |x|
double ExactCos(double x);
double ExactAtan(double x);

}  // namespace pare::passes
