"""The trial's schedule against the same dose given daily, from Python."""

from pkpd import compare

result = compare(["pss_nct02464319", "0.5 MIU sc qd 14d on / 14d off x 3", "placebo"], patients=200, draws=20)
print(result.table.query("metric == 'treg_mean_treatment'").to_string())  # a pandas table
print(result.profiles["treg"].sel(quantile=0.5).max("time"))  # an xarray Dataset
